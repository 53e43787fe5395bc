package verify

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
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
		if !schemas.IsRulesKey(r.Key) || r.Value == nil {
			return nil
		}
		if c, err := config.Parse("rules", r.Value, func(string) (string, bool) { return "", false }); err == nil && c.Set.LeastExpiry() > 0 {
			sets = append(sets, c.Set)
		}
		return nil
	})
	return sets, err
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
