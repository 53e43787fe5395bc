package processor

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// sighting is an impression as one trait sees it.
type sighting struct {
	slot  state.Slot
	task  int32
	key   trait.Key
	seen  trait.Register
	facts trait.Facts
	// expires is after how long the trait does; 0: never.
	expires time.Duration
	// record and index are where to find the element again for a dead letter.
	record *kgo.Record
	index  int
	// last marks an impression's last sighting: its result is then known.
	last bool
	again
	// plan is that of the task where it is not what the process has begun with; shadow
	// tells that this is of its next definitions alone, fresh that it is of one of
	// those that are new and take their place.
	plan          *plan
	shadow, fresh bool
}

// sight adds the sighting of a match.
func (in *intake) sight(a *arrival, e *impression.Element, task int32, m *trait.Match) {
	imp := &e.Impression
	if warning := in.mixed.Saw(m, imp); warning != "" {
		in.o.Log.Warn(warning)
	}
	s := in.room()
	s.slot, s.task, s.record, s.index, s.last, s.again = 0, task, a.record, e.Index, false, a.again
	s.plan, s.shadow, s.fresh = a.plan, false, m.New
	s.key.Identity, s.key.User, s.key.Trait = imp.Identity, imp.User, m.Trait
	if a.plan != nil && m.New && a.plan.Phase == schemas.Shadowing {
		s.shadow, s.key.Trait = true, trait.Shadow(a.plan.Next, m.Trait)
	}
	s.seen.SeenAt, s.seen.Version, s.seen.Treatment, s.seen.Value = imp.SeenAt, imp.Version, imp.Treatment, m.Value
	s.expires = m.Definition.ExpireAfter
	f := &s.facts
	f.Flag, f.Environment, f.Label, f.Definition = imp.Flag, imp.EnvironmentName, imp.Label, m.Definition.Name.String()
	f.Place = a.place
	if e.Several {
		f.Place.Index = int32(e.Index)
	}
}

// room appends a sighting with whatever was there: one is large, and quicker
// written in place than copied.
func (in *intake) room() *sighting {
	n := len(in.sightings)
	in.sightings = slices.Grow(in.sightings, 1)[:n+1]
	return &in.sightings[n]
}

// settle counts an impression once, by the most telling result among its
// traits. That of a dead letter has been counted.
func (in *intake) settle(s *sighting, r result) {
	in.best = min(in.best, r)
	if !s.last {
		return
	}
	switch {
	case in.refused:
	case s.replayed:
		in.tally.replayed[in.best]++
		s.share.merged()
	default:
		in.tally.impression(s.facts.Place.Topic, in.best)
	}
	in.best, in.refused = results, false
}

func resultOf(o trait.Outcome, none bool) result {
	switch {
	case o == trait.Changed || o == trait.Removed:
		return resultChange
	case none:
		return resultNotServed
	case o == trait.Same:
		return resultSame
	case o == trait.Duplicate:
		return resultDuplicate
	}
	return resultLate
}
