package processor

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// replaceKeys is how many of a task's keys are gone through in one transaction, unless
// a test has it do fewer.
const replaceKeys = 1000

// mergeShadow merges a sighting by definitions that are not in force yet: nothing is
// sent.
func (w *worker) mergeShadow(s *sighting) trait.Outcome {
	if w.refuses(s) {
		return trait.Late
	}
	if outcome, ok := w.state.Move(s.slot, &s.seen, w.out.roomy); ok {
		return outcome
	}
	rec := w.state.Record(s.slot)
	before := *rec
	outcome := rec.Merge(w.o.Config.App, s.key, s.seen, s.facts, s.plan.Next)
	if outcome == trait.Late || outcome == trait.Duplicate {
		return outcome
	}
	if !w.out.fits(s.key, rec) {
		*rec = before
		w.tally.unfit++
		return trait.Late
	}
	w.state.Touch(s.slot)
	return outcome
}

// mergeReplacing merges a sighting into a trait whose definitions are being replaced
// and that was not gone through yet: what is new of it takes its place first.
func (w *worker) mergeReplacing(s *sighting) (outcome trait.Outcome, done bool, err error) {
	p, shadow := s.plan, s.key
	shadow.Trait = trait.Shadow(p.Next, s.key.Trait)
	w.scratch = schemas.AppendStateKey(w.scratch[:0], shadow)
	if p.Behind != nil && bytes.Compare(w.scratch, p.Behind) <= 0 {
		return 0, false, nil
	}
	slot := w.state.Want(s.task, shadow)
	if err := w.state.Load(); err != nil {
		return 0, false, err
	}
	rec, beside := w.state.Record(s.slot), w.state.Record(slot)
	kept := p.keeps(s.key.Trait, rec)
	if kept && s.quiet { // what is new takes its place without it
		return 0, false, w.replace(p, s.key, s.slot, slot, w.definingShare(p))
	}
	if !s.fresh && beside.Absent() && kept {
		return 0, false, nil
	}
	before := *beside
	if s.quiet { // what is new is sent without it, when its turn comes
		p.stored = p.stored && !before.Absent() // else it would be gone past
		outcome = beside.See(s.seen)
	} else {
		outcome = beside.Merge(w.o.Config.App, s.key, s.seen, s.facts, p.Next)
	}
	switch {
	case outcome == trait.Late, outcome == trait.Duplicate:
	case !w.out.fits(shadow, beside):
		*beside = before
		w.in.undo(s)
		return trait.Late, true, nil
	default:
		w.state.Touch(slot)
	}
	if s.quiet {
		return outcome, true, nil
	}
	by := w.definingShare(p)
	if s.share != nil && outcome != trait.Same {
		by = s.share // its job has read what is sent
	}
	return outcome, true, w.replace(p, s.key, s.slot, slot, by)
}

// definingShare is a task's part in the job that computes its next definitions, nil where
// that is over.
func (w *worker) definingShare(p *plan) *share {
	return w.replays.shares[shareKey{schemas.DefinitionsJob(p.Next), p.task.number}]
}

// keeps tells whether what is known of a trait stays under the next definitions.
func (p *plan) keeps(name []byte, rec *trait.Record) bool {
	return rec.Emitted.Sent && rec.Emitted.Generation >= p.Next || p.change.Keeps(name, rec)
}

// expired tells whether what was computed beside a trait has expired since.
func (p *plan) expired(name []byte, shadow *trait.Record, clock int64) bool {
	after := p.change.Next.ExpireAfter(name, shadow).Milliseconds()
	return after > 0 && shadow.Seen.SeenAt+after <= clock
}

// replace makes what was computed beside a trait take its place, as far as the
// definitions that fed it are gone or it is what was seen last. What is sent is counted
// by a share.
func (w *worker) replace(p *plan, key trait.Key, slot, beside state.Slot, by *share) error {
	rec, shadow := w.state.Record(slot), w.state.Record(beside)
	r, kept := w.removals[p.task.number], p.keeps(key.Trait, rec)
	expired := !shadow.Absent() && p.expired(key.Trait, shadow, r.clock)
	switch {
	case expired && !kept:
		w.takeAway(r, slot, key, trait.Expired, r.clock)
		return nil
	case shadow.Absent() && !kept:
		w.takeAway(r, slot, key, trait.DefinitionRemoved, time.Now().UnixMilli())
		return nil
	case shadow.Absent(), expired, kept && !rec.Absent() && shadow.Seen.Compare(rec.Seen) <= 0:
		return nil
	}
	before := *rec
	outcome := rec.Replace(w.o.Config.App, key, shadow, p.Next)
	changed := outcome == trait.Changed || outcome == trait.Removed
	if !w.out.fits(key, rec) || changed && !w.out.change(p.task.number, key, rec) {
		*rec = before
		w.tally.unfit++
		return nil
	}
	w.state.Touch(slot)
	if changed {
		w.tally.change(outcome)
		by.sent(1)
	}
	return nil
}

// toReplace returns a plan whose task's keys are to be gone through, or nil.
func (w *worker) toReplace() *plan {
	for _, p := range w.plans {
		if (p.Phase == schemas.Replacing || p.Phase == schemas.Dropping) && p.stored && w.canPlace(p.task) {
			return p
		}
	}
	return nil
}

// storeForReplace has the store know all keys that were there before. It comes
// between two transactions.
func (w *worker) storeForReplace() error {
	for _, p := range w.plans {
		if (p.Phase == schemas.Replacing || p.Phase == schemas.Dropping) && !p.stored {
			if err := w.store(); err != nil {
				return err
			}
			p.stored = true
		}
	}
	return nil
}

// replaceSome goes through some of a task's keys.
func (w *worker) replaceSome(p *plan) error {
	if !w.hasPlace(p.task) {
		return nil
	}
	var keys [][]byte
	n, most := 0, min(cmp.Or(w.o.replaceAtOnce, replaceKeys), w.limit) // fewer where brokers are slow
	behind, err := w.o.Store.Page(p.task.number, p.Behind, func(e state.Entry) bool {
		if n++; p.concerns(e) {
			keys = append(keys, slices.Clone(e.Key))
		}
		return n < most
	})
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := w.replaceKey(p, key); err != nil {
			return err
		}
	}
	p.Behind, p.changed, w.replays.touched = behind, true, true
	if behind != nil {
		return nil
	}
	next := schemas.TaskDefinitions{Generation: p.Generation}
	if p.Phase == schemas.Replacing { // what came meanwhile may have left shadows
		next = schemas.TaskDefinitions{Generation: p.Next, Phase: schemas.Dropping}
	}
	p.TaskDefinitions, p.stored = next, false
	return w.turnTo(w.replays.ctx, p)
}

// concerns tells whether a key of the store has to be looked at.
func (p *plan) concerns(e state.Entry) bool {
	key, err := schemas.DecodeStateKey(e.Key)
	if err != nil {
		return false // whoever wants it finds that out
	}
	if _, _, shadow := trait.Unshadow(key.Trait); shadow {
		return true
	}
	if p.Phase != schemas.Replacing {
		return false
	}
	var rec trait.Record
	return schemas.DecodeRecord(e.Value, &rec) == nil && !p.keeps(key.Trait, &rec)
}

// replaceKey replaces the trait of a key, which may be its shadow's, or drops a
// shadow.
func (w *worker) replaceKey(p *plan, stateKey []byte) error {
	key, err := schemas.DecodeStateKey(stateKey)
	if err != nil {
		return err
	}
	name, of, isShadow := trait.Unshadow(key.Trait)
	if p.Phase == schemas.Dropping || isShadow && of != p.Next {
		slot := w.state.WantState(p.task.number, stateKey)
		if err := w.state.Load(); err != nil {
			return err
		}
		w.state.Remove(slot)
		return nil
	}
	key.Trait = name
	shadow := key
	shadow.Trait = trait.Shadow(p.Next, name)
	slot, beside := w.state.Want(p.task.number, key), w.state.Want(p.task.number, shadow)
	if err := w.state.Load(); err != nil {
		return err
	}
	if there := !w.state.Record(beside).Absent(); there && !isShadow {
		return nil // a shadow lies behind all of its user's traits, so its turn comes
	}
	if err := w.replace(p, key, slot, beside, w.definingShare(p)); err != nil {
		return err
	}
	if isShadow {
		w.state.Remove(beside)
	}
	return nil
}
