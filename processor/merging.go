package processor

import (
	"traitstream/schemas"
	"traitstream/trait"
)

// merge merges one sighting into the state of its trait and emits the change
// if it makes one. What the topics would refuse by its size is undone and
// refused, and so is what comes after its trait was removed.
func (w *worker) merge(s *sighting) error {
	if s.plan != nil {
		if done, err := w.mergeOnTheWay(s); done || err != nil {
			return err
		}
	}
	w.mergeLive(s)
	return nil
}

// mergeOnTheWay merges a sighting of a task that goes over to other definitions, as
// far as it is not one like any other.
func (w *worker) mergeOnTheWay(s *sighting) (done bool, err error) {
	switch {
	case s.shadow:
		if outcome := w.mergeShadow(s); s.defines {
			w.in.settle(s, resultOf(outcome, s.seen.Value == nil))
		}
		return true, nil
	case s.plan.Phase != schemas.Replacing || w.refuses(s):
		return false, nil
	}
	outcome, done, err := w.mergeReplacing(s)
	if done {
		w.in.settle(s, resultOf(outcome, s.seen.Value == nil))
	}
	return done, err
}

// mergeLive is merge by the definitions in force.
func (w *worker) mergeLive(s *sighting) {
	if w.refuses(s) {
		w.in.settle(s, resultLate)
		return
	}
	if outcome, ok := w.move(s); ok {
		w.in.settle(s, resultOf(outcome, s.seen.Value == nil))
		return
	}
	rec := w.state.Record(s.slot)
	before := *rec
	var outcome trait.Outcome
	if s.quiet {
		outcome = rec.See(s.seen)
	} else {
		outcome = rec.Merge(w.o.Config.App, s.key, s.seen, s.facts, w.generationOf(s))
	}
	changed := outcome == trait.Changed || outcome == trait.Removed
	switch {
	case outcome == trait.Late, outcome == trait.Duplicate:
	case !w.out.fits(s.key, rec), changed && !w.out.change(s.task, s.key, rec):
		*rec = before
		w.logAll = true // a restore must not meet it again
		w.in.undo(s)
		w.in.settle(s, resultDeadLetter)
		return
	default:
		w.state.Touch(s.slot)
		w.mayExpire(s)
	}
	if changed {
		w.tally.change(outcome)
		s.share.sent(1)
	}
	w.in.settle(s, resultOf(outcome, s.seen.Value == nil))
}

// generationOf returns that of the definitions under which a sighting is merged.
func (w *worker) generationOf(s *sighting) uint32 {
	switch {
	case s.plan == nil:
		return w.o.Generation
	case s.plan.Phase == schemas.Replacing:
		return s.plan.Next
	}
	return s.plan.Generation
}

// undo sends the impression of a sighting to the dead letters, once, decoding
// it again for its bytes.
func (in *intake) undo(s *sighting) {
	if in.refused {
		return
	}
	in.refused = true
	a, err := in.arrive(s.record)
	if err != nil {
		return // it was read a moment ago
	}
	source, ok := sourceOf(in.o.Config, a.place.Topic)
	if !ok {
		source.Source = formerSource(a.place.Topic, s.record)
	}
	d := schemas.NewDecoder(source.Source, in.read.set.Filter(), in.o.Schemas)
	elements, err := d.Decode(nil, s.record.Value, schemaHeader(d, s.record))
	if err != nil {
		return // as above: its schema is known
	}
	in.refuse(&a, s.facts.Place, &elements[s.index], "emit", tooLarge,
		"its change is larger than the traits topic or the changelog takes (max.message.bytes)")
}
