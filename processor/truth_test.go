package processor

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/impression"
	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// What bubbles run, in words of both sides: two sources, of which the first is
// meant to be keyed well.
const bubbleYAML = `
sources: [{topic: a}, {topic: b}]
traits: [{name: "{split}", not_served: clear}]
output: {partitions: 3}
processor: {session_timeout: 6s}
`

func bubbleSources() []oracle.Source {
	return []oracle.Source{{Topic: "a", Format: "auto", Identity: "user"}, {Topic: "b", Format: "auto", Identity: "user"}}
}

func bubbleDefinitions() []oracle.Definition {
	return []oracle.Definition{{Name: "{split}", Event: "get_treatment", Property: "treatment", NotServed: "clear"}}
}

// truth is what must come of all that stands in the sources.
type truth struct {
	oracle.Result
	// steady are the users whose impressions all lie in their own task's
	// partition of one source: what comes of them is told byte for byte.
	steady map[string]bool
	lines  map[string][]string // the traits topic's records of steady users, by key
	// unsure are traits that have just expired, and may be there or not.
	unsure map[oracle.Key]bool
	// removes says that traits may have ended in a removal for good.
	removes bool
}

func (b *bubble) truth() truth {
	b.t.Helper()
	var records []oracle.Record
	times := map[oracle.Place]int64{}
	homes := map[string]map[oracle.Place]bool{}
	for _, s := range bubbleSources() {
		for p, part := range b.read(b.topics.Sources[s.Topic]) {
			for _, r := range part {
				rec := oracle.Record{Topic: s.Topic, Partition: int32(p), Offset: r.Offset, Timestamp: timestamp(r), Key: r.Key, Value: r.Value}
				records = append(records, rec)
				times[oracle.Place{Topic: s.Topic, Partition: int32(p), Offset: r.Offset}] = rec.Timestamp
				for key := range run([]oracle.Record{rec}).Traits {
					if homes[key.User] == nil {
						homes[key.User] = map[oracle.Place]bool{}
					}
					homes[key.User][oracle.Place{Topic: s.Topic, Partition: int32(p)}] = true
				}
			}
		}
	}
	removed := b.removed(slices.Collect(maps.Keys(homes)), 0)
	out := truth{Result: b.runWithin(removed, records), steady: map[string]bool{}, lines: map[string][]string{}, unsure: map[oracle.Key]bool{}}
	out.removes = len(removed.Forgotten) > 0 || b.cfg.Traits[0].ExpireAfter > 0
	for key := range b.runWithin(b.removed(slices.Collect(maps.Keys(homes)), sweepSlack), records).Traits {
		_, sure := out.Traits[key]
		out.unsure[key] = !sure
	}
	if out.removes = out.removes || b.defs != nil; b.defs != nil {
		homes = nil
	}
	for user, places := range homes {
		for place := range places {
			out.steady[user] = !removed.mentions(user) && len(places) == 1 && kafka.Partition([]byte(user), b.topics.Tasks) == place.Partition
		}
	}
	b.expect(&out, times)
	return out
}

// runWithin is run of what was not removed.
func (b *bubble) runWithin(removed removedUsers, records []oracle.Record) oracle.Result {
	defs := b.defs
	if defs == nil {
		defs = bubbleDefinitions()
		defs[0].ExpireAfter = b.cfg.Traits[0].ExpireAfter
	}
	return oracle.RunWithin(removed.Removed, bubbleSources(), defs, 10*time.Minute, records)
}

func run(records []oracle.Record) oracle.Result {
	return oracle.Run(bubbleSources(), bubbleDefinitions(), 10*time.Minute, records)
}

// expect writes down the records that the changes of steady users are.
func (b *bubble) expect(out *truth, times map[oracle.Place]int64) {
	before := map[oracle.Key][16]byte{}
	for _, c := range out.Changes {
		if !out.steady[c.Key.User] {
			continue
		}
		place := c.Source
		place.Index = 0
		key := trait.Key{Identity: impression.User, User: []byte(c.Key.User), Trait: []byte(c.Key.Trait)}
		e := trait.Emission{
			Sent: true, Value: orNil(c.Value), Previous: orNil(c.Previous), SeenAt: c.SeenAt, Version: c.FlagVersion,
			Facts: trait.Facts{
				Flag: []byte(c.Split), Environment: orNil(c.Environment), Label: orNil(c.Label), Definition: c.Definition,
				Place: trait.Place{Topic: c.Source.Topic, Partition: c.Source.Partition, Offset: c.Source.Offset, Index: int32(c.Source.Index)},
			},
		}
		if e.Value == nil {
			e.Reason, e.Removes = "not_served", before[c.Key]
		}
		id := trait.ChangeID(b.cfg.App, key, &e)
		before[c.Key] = id
		var value []byte
		if e.Value != nil {
			value = schemas.AppendValue(nil, key, &e, id)
		}
		r := &kgo.Record{
			Key: schemas.AppendKey(nil, key), Value: value, Timestamp: time.UnixMilli(times[place]),
			Headers: fleet.RecordHeaders(schemas.ChangeHeaders(b.cfg.App, &e, id)),
		}
		out.lines[string(r.Key)] = append(out.lines[string(r.Key)], line(r))
	}
}

func orNil(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// line writes down all of a change that a subscriber can tell apart.
func line(r *kgo.Record) string {
	return fmt.Sprintf("%s = %s %s %d", r.Key, r.Value, headers(r), r.Timestamp.UnixMilli())
}
