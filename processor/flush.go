package processor

import (
	"slices"
	"time"

	"traitstream/trait"
)

// move merges a sighting that moves no more than the last-seen time of its trait
// (see state.Overlay.Move). Such a move is logged later, together with those that
// come after it, unless its source may forget the impression before that, or it was
// read again: no mark tells from where.
func (w *worker) move(s *sighting) (trait.Outcome, bool) {
	if !s.replayed && w.coalesces(s.record.Topic) {
		outcome, ok := w.state.MoveUnlogged(s.slot, &s.seen, w.out.roomy)
		w.moved = w.moved || ok && outcome == trait.Same
		return outcome, ok
	}
	return w.state.Move(s.slot, &s.seen, w.out.roomy)
}

// coalesces tells whether the moves of an input are logged later. A compacted
// source may not have the impressions any more that a restore would read again;
// and a mark of other rules, which go with the next flush, holds for no more.
func (w *worker) coalesces(topic string) bool {
	return w.marks.rules != "" && !w.marks.off && w.marks.interval > 0 && !w.logAll && !w.compacted[topic]
}

// flushDue tells whether moves are to be logged though nothing was read.
func (w *worker) flushDue() bool {
	w.forgetGone()
	return len(w.marks.segments) > 0 && (w.logAll || w.state.Crowded() || w.marks.due(time.Now()) > 0)
}

// flush makes the moves that are due a part of the transaction, with the places
// of the inputs whose marks go on for that, and notes the marks.
func (w *worker) flush() {
	w.forgetGone()
	now := time.Now()
	w.marks.add(&w.batch, w.moved, w.state.Moves(), w.tasks.owns, now)
	n := w.marks.due(now)
	if w.logAll || w.state.Crowded() {
		n = len(w.marks.segments)
	}
	if w.logged = 0; n > 0 {
		until := w.marks.segments[n-1].moves
		places := w.marks.places(n)
		w.logged = until - w.state.Logged()
		if w.logged > w.most { // in parts, where brokers are slow
			w.logged = w.most
			until = w.state.Logged() + w.most
			n = w.marks.before(until)
		}
		w.state.Log(until)
		w.marks.log(n)
		for _, s := range places {
			if _, read := w.batch.at[s.partition]; !read {
				w.batch.spans = append(w.batch.spans, s)
			}
		}
	}
	w.logAll = w.logAll && len(w.marks.segments) > 0
	if w.marks.off && len(w.marks.segments) == 0 {
		w.setRules()
	}
	for _, s := range w.batch.spans {
		w.seat.ledger.mark(s.partition, w.marks.of(s.partition))
	}
}

// forgetGone drops the moves of tasks that have gone: whoever has them now reads
// them again.
func (w *worker) forgetGone() {
	for number, t := range w.marks.owners {
		if w.tasks.owns(number) != t {
			w.marks.forget(number)
			w.state.Forget(number)
		}
	}
}

// adopt takes over what the restores of tasks have read again.
func (w *worker) adopt() error {
	for _, t := range w.tasks.takeResumed() {
		if err := w.remembers(t); err != nil {
			return err
		}
		w.marks.forget(t.number)
		w.state.Forget(t.number)
		delete(w.unstored, t.number) // by whom it was here before
		r := t.reread
		if t.reread = nil; r == nil {
			continue
		}
		w.state.Adopt(r.state)
		w.marks.adopt(t, r, w.state.Moves(), time.Now())
		for p, place := range r.places {
			w.seat.ledger.keep(p, place.note)
			w.logAll = w.logAll || place.mark.Rules != w.marks.rules
		}
	}
	return nil
}

// compactedSources are those whose impressions may be gone when they are needed
// again.
func compactedSources(o *Options) map[string]bool {
	all := map[string]bool{}
	for name, topic := range o.Topics.Sources {
		all[name] = slices.Contains(topic.Policies(), "compact")
	}
	return all
}
