package verify

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// formerSets reads from the control topic by which definitions traits were ever
// computed, those of now among them. What this release can't read tells nothing.
func (v *verifier) formerSets(ctx context.Context) ([]*trait.Set, error) {
	control := v.o.Topics.Control
	if control.Missing {
		return nil, nil
	}
	logs, err := kafka.Logs(ctx, v.o.Client, control.Name)
	if err != nil {
		return nil, err
	}
	var sets []*trait.Set
	err = kafka.ReadPartition(ctx, v.o.Client, control.Name, 0, logs[0].From, logs[0].To, func(r *kgo.Record) error {
		if _, ok := schemas.RulesHash(r.Key); !ok || r.Value == nil {
			return nil
		}
		if c, err := config.Parse("rules", r.Value, func(string) (string, bool) { return "", false }); err == nil && c.Set.LeastExpiry() > 0 {
			sets = append(sets, c.Set)
		}
		return nil
	})
	return sets, err
}

// readGenerations reads the definitions of other generations than the one in force from the
// control topic, by number.
func (v *verifier) readGenerations(ctx context.Context) (map[uint32][]oracle.Definition, error) {
	control := v.o.Topics.Control
	if control.Missing {
		return nil, nil
	}
	logs, err := kafka.Logs(ctx, v.o.Client, control.Name)
	if err != nil {
		return nil, err
	}
	all := map[uint32][]oracle.Definition{}
	err = kafka.ReadPartition(ctx, v.o.Client, control.Name, 0, logs[0].From, logs[0].To, func(r *kgo.Record) error {
		d, ok, err := schemas.ParseDefinitions(r.Key, r.Value)
		if !ok || err != nil || d.Generation == v.o.Generation {
			return err
		}
		traits, _, err := config.ParseDefinitions(d.Traits)
		all[d.Generation] = oracleDefinitions(traits)
		return err
	})
	return all, err
}

// findCauses notes at which places the impressions stand that have made the last changes
// of traits under other generations.
func (p *pass) findCauses() {
	p.causes = map[partition]map[int64]bool{}
	for _, s := range p.shards {
		for _, ev := range s.traits {
			rec := ev.changelog()
			e := &rec.Emitted
			if _, known := p.generations[e.Generation]; !e.Sent || !known {
				continue
			}
			at := partition{e.Facts.Place.Topic, e.Facts.Place.Partition}
			if p.causes[at] == nil {
				p.causes[at] = map[int64]bool{}
			}
			p.causes[at][e.Facts.Place.Offset] = true
		}
	}
}

// witnessBefore compares what a record says by other generations with the last changes
// that were made under these.
func (p *pass) witnessBefore(rec oracle.Record) {
	for number, defs := range p.generations {
		all, _ := oracle.Look(p.sources[rec.Topic], defs, p.ahead, rec)
		for _, s := range all {
			user := []byte(s.Key.User)
			shard, ours := p.shards[kafka.Partition(user, p.o.Topics.Tasks)]
			if !ours {
				continue
			}
			key := trait.Key{Identity: identities[s.Key.Identity], User: user, Trait: []byte(s.Key.Trait)}
			shard.mu.Lock()
			if ev := shard.traits[string(schemas.AppendStateKey(nil, key))]; ev != nil && ev.changelog().Emitted.Generation == number {
				ev.witness(s, rec.Timestamp)
			}
			shard.mu.Unlock()
		}
	}
}

// mayHaveExpired tells whether an impression was so old at some time that its trait
// expired by definitions of then, though by those of now it would be there. That time
// is told by the last tombstone of that reason. Where there is none, it may be any
// until now, unless the traits topic has a value: tombstones go, and a record without
// a value goes without one. What has expired sooner than any definition has ever let
// it is a difference as before.
func (p *pass) mayHaveExpired(s *shard, ev *evidence, k trait.Key, seenAt int64, definition string) bool {
	clock := s.away.clock
	switch {
	case ev.sent.expired > 0:
		clock = min(clock, ev.sent.expired)
	case ev.sent.value != "":
		return false
	}
	rec := trait.Record{Emitted: trait.Emission{Sent: true, Facts: trait.Facts{Definition: definition}}}
	for _, set := range p.former {
		if after := set.ExpireAfter(k.Trait, &rec); after > 0 && seenAt+after.Milliseconds() <= clock {
			return true
		}
	}
	return false
}
