package processor

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// plan is by which definitions a task is computed.
type plan struct {
	schemas.TaskDefinitions
	task    *task
	change  *trait.Change // on the way to Next, else nil
	live    *reading      // of what comes
	history *reading      // of what the job of Next reads again; nil: none does
	changed bool          // it is to be logged
	stored  bool          // while keys are gone through: the store has what was there before
}

// plain tells whether a plan is what the process has begun with.
func (p *plan) plain(number uint32) bool { return p.Phase == schemas.Steady && p.Generation == number }

// planOf makes the plan of a task that has come, by what its restore has found; nil
// stands for the definitions that the process has begun with.
func (w *worker) planOf(ctx context.Context, t *task, d schemas.TaskDefinitions) (*plan, error) {
	p := &plan{TaskDefinitions: d, task: t}
	if p.plain(w.o.Generation) {
		return nil, nil
	}
	return p, w.readBy(ctx, p)
}

// readBy sets what a plan reads by.
func (w *worker) readBy(ctx context.Context, p *plan) error {
	old, err := w.o.definitionsOf(ctx, p.Generation)
	if err != nil {
		return err
	}
	p.change, p.history, p.live = nil, nil, w.in.reading(old)
	if p.Phase != schemas.Shadowing && p.Phase != schemas.Replacing {
		return nil
	}
	next, err := w.o.definitionsOf(ctx, p.Next)
	if err != nil {
		return err
	}
	p.change = trait.NewChange(old, next)
	if p.Phase == schemas.Replacing {
		p.live = w.in.reading(p.change.Next)
		return nil
	}
	p.live, p.history = w.in.reading(p.change.Both), w.in.reading(p.change.New)
	return nil
}

// setPlan makes a plan that of its task.
func (w *worker) setPlan(number int32, p *plan) {
	if p == nil {
		delete(w.plans, number)
	} else {
		w.plans[number] = p
	}
	w.leastExpiry = w.o.Traits.LeastExpiry()
	for _, p := range w.plans {
		if d := p.live.set.LeastExpiry(); d > 0 && (w.leastExpiry == 0 || d < w.leastExpiry) {
			w.leastExpiry = d
		}
	}
	w.forgetReadings()
	w.setGate()
	w.setRules()
}

// forgetReadings drops those of definitions that no task here is computed by any more.
func (w *worker) forgetReadings() {
	used := map[*reading]bool{w.in.base: true}
	for _, p := range w.plans {
		used[p.live], used[p.history] = true, true
	}
	maps.DeleteFunc(w.in.readings, func(_ *trait.Set, r *reading) bool { return !used[r] })
}

// setRules has moves be logged late only while all tasks are computed by the same
// definitions, whose rules the control topic has. What was moved by others is logged
// first.
func (w *worker) setRules() {
	rules, same := "", true
	for number := range w.removals {
		r := w.o.rules.hash
		if p := w.plans[number]; p != nil && p.Phase == schemas.Steady {
			r = w.o.rulesOf(p.Generation)
		} else if p != nil {
			r = ""
		}
		same = same && r != "" && (rules == "" || rules == r)
		rules = r
	}
	if same && rules != "" && len(w.marks.segments) == 0 {
		w.marks.rules = rules
	}
	w.marks.off = !same || rules != w.marks.rules
}

// heed does what records of a poll say about definitions, before any of the poll is
// decoded, and returns those that are left to be. What lies before a Switch in its inbox
// is merged first: the last of the history may have been sent on just before it.
func (w *worker) heed(ctx context.Context, records []*kgo.Record) ([]*kgo.Record, error) {
	left := records
	for _, r := range records {
		if r.Topic != w.o.Topics.Inbox.Name || !schemas.IsDefining(header(r, schemas.HeaderKind)) {
			continue
		}
		c, err := schemas.ParseCommand(fleet.HeadersOf(r))
		if err != nil {
			continue // intake tells
		}
		if p := w.plans[r.Partition]; c.Kind == schemas.Switch && p != nil && p.history != nil {
			if left, err = w.mergeBefore(r, left); err != nil {
				return nil, err
			}
		}
		if err := w.heedCommand(ctx, c, r.Partition, records); err != nil {
			return nil, fmt.Errorf("going over to generation %d of the definitions: %w", c.Generation, err)
		}
	}
	return left, nil
}

// mergeBefore merges what lies before a command in its inbox, and returns the rest.
func (w *worker) mergeBefore(command *kgo.Record, records []*kgo.Record) ([]*kgo.Record, error) {
	var before, rest []*kgo.Record
	for _, r := range records {
		if r.Topic == command.Topic && r.Partition == command.Partition && r.Offset < command.Offset {
			before = append(before, r)
		} else {
			rest = append(rest, r)
		}
	}
	if len(before) == 0 {
		return records, nil
	}
	return rest, w.process(before)
}

func (w *worker) heedCommand(ctx context.Context, c schemas.Command, number int32, records []*kgo.Record) error {
	t := w.tasks.owns(number)
	if t == nil {
		return errNotOwner
	}
	p := w.plans[number]
	if p == nil {
		p = &plan{TaskDefinitions: schemas.TaskDefinitions{Generation: w.o.Generation}, task: t}
	}
	switch {
	// Shadows that are not dropped yet are when what is new takes its place.
	case c.Kind == schemas.Define && (p.Phase == schemas.Steady || p.Phase == schemas.Dropping) && c.Generation > p.Generation:
		history, err := w.historyFor(ctx, p, c.Generation, records)
		if err != nil {
			return err
		}
		p.TaskDefinitions = schemas.TaskDefinitions{Generation: p.Generation, Phase: schemas.Shadowing, Next: c.Generation, History: history}
	case c.Kind == schemas.Switch && p.Phase == schemas.Shadowing && c.Generation == p.Next:
		p.TaskDefinitions = schemas.TaskDefinitions{Generation: p.Generation, Phase: schemas.Replacing, Next: p.Next}
	case c.Kind == schemas.Undefine && p.Phase == schemas.Shadowing && c.Generation == p.Next:
		p.TaskDefinitions = schemas.TaskDefinitions{Generation: p.Generation, Phase: schemas.Dropping, Next: p.Next}
	default:
		return nil // heard before
	}
	p.stored = false
	return w.turnTo(ctx, p)
}

// turnTo goes on by a plan that has changed.
func (w *worker) turnTo(ctx context.Context, p *plan) error {
	if err := w.readBy(ctx, p); err != nil {
		return err
	}
	p.changed = true
	w.setPlan(p.task.number, p)
	w.logAll = true // what was moved by other definitions
	w.replays.stale = true
	if r := w.removals[p.task.number]; r != nil {
		r.sweep.next = math.MinInt64 // by other definitions other traits expire
	}
	return nil
}

// historyFor returns what the next definitions of a plan are to be computed from;
// nothing, where none of them is new.
func (w *worker) historyFor(ctx context.Context, p *plan, next uint32, records []*kgo.Record) ([]schemas.JobRange, error) {
	old, err := w.o.definitionsOf(ctx, p.Generation)
	if err != nil {
		return nil, err
	}
	set, err := w.o.definitionsOf(ctx, next)
	if err != nil || !trait.NewChange(old, set).Adds() {
		return nil, err
	}
	return w.historyOf(ctx, p.task.number, records)
}

// historyOf returns what lies before the place where a task is in its sources: before
// the records of this poll.
func (w *worker) historyOf(ctx context.Context, number int32, records []*kgo.Record) ([]schemas.JobRange, error) {
	starts, err := kafka.Told(kadm.NewClient(w.o.Client).ListStartOffsets(ctx, w.o.Sources()...))
	if err != nil {
		return nil, fmt.Errorf("looking up where the sources begin: %w", err)
	}
	ids, gone, err := w.o.TopicIDs(ctx)
	if err != nil {
		return nil, err
	}
	committed, err := w.o.Committed(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("looking up how far group %s is: %w", w.o.Config.Group(), err)
	}
	var all []schemas.JobRange
	for _, topic := range w.o.Sources() {
		if slices.Contains(gone, topic) {
			continue
		}
		for n, c := range committed[topic] {
			to, known := w.standsAt(partition{topic, n}, records)
			if !known {
				to = c.At // nobody has read on
			}
			if n%w.o.Topics.Tasks != number || to <= 0 {
				continue
			}
			start, err := kafka.Listed(starts, topic, n)
			if err != nil { // without its history the new definitions would lack it for good
				return nil, err
			}
			if to > start.Offset {
				all = append(all, schemas.JobRange{Topic: topic, TopicID: ids[topic], Partition: n, From: start.Offset, To: to})
			}
		}
	}
	slices.SortFunc(all, schemas.JobRange.Compare)
	return all, nil
}

// standsAt returns where the worker is in a partition, before the records of a poll, if
// that is known since the partition has come.
func (w *worker) standsAt(p partition, records []*kgo.Record) (int64, bool) {
	for _, r := range records {
		if r.Topic == p.topic && r.Partition == p.number {
			return r.Offset, true
		}
	}
	if i, ok := w.batch.at[p]; ok {
		return w.batch.spans[i].next.Offset, true
	}
	at, ok := w.seat.ledger.place(p)
	return at.Offset, ok
}

// logPlans makes the plans that have changed a part of the transaction.
func (w *worker) logPlans() {
	for number, p := range w.plans {
		if p.changed && w.hasPlace(p.task) {
			w.state.Set(number, schemas.DefinitionsKey(), schemas.AppendTaskDefinitions(nil, &p.TaskDefinitions))
			p.changed = false
		}
	}
}
