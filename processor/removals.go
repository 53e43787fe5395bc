package processor

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// removals are what a task knows of what was removed from it: the markers of what
// was forgotten, and the clock by which traits expire.
type removals struct {
	task    *task
	markers map[schemas.MarkerKey]schemas.Marker
	newest  int64 // up to when any of the markers refuses
	oldest  int64 // when the first of them was made
	single  bool  // some are of one trait
	clock   int64 // ms since 1970; it never goes back
	sweep   sweep
	ticked  time.Time // when the last tick was written
	// progress is how far the task is with replay jobs, from the restore alone.
	progress map[string]schemas.JobProgress
	// definitions are those of the task, from the restore alone.
	definitions schemas.TaskDefinitions
}

// removalsOf reads them from the store, when the task's state is restored.
func (o *Options) removalsOf(t *task) (*removals, error) {
	r := &removals{
		task: t, markers: map[schemas.MarkerKey]schemas.Marker{}, newest: math.MinInt64, oldest: math.MaxInt64,
		progress: map[string]schemas.JobProgress{},
		// Of a task that has none, as after its changelog was created again, those in force.
		definitions: schemas.TaskDefinitions{Generation: o.Generation},
	}
	for e, err := range o.Store.TaskRecords(t.number) {
		if err != nil {
			return nil, err
		}
		if key, ok := schemas.ParseMarkerKey(e.Key); ok {
			m, err := schemas.DecodeMarker(e.Value)
			if err != nil {
				return nil, err
			}
			r.mark(key, m)
		} else if id, ok := schemas.ParseJobKey(e.Key); ok {
			if r.progress[id], err = schemas.DecodeJobProgress(e.Value); err != nil {
				return nil, err
			}
		} else if schemas.IsDefinitionsKey(e.Key) {
			if r.definitions, err = schemas.DecodeTaskDefinitions(e.Value); err != nil {
				return nil, err
			}
		} else if r.clock, err = schemas.DecodeClock(e.Value); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// mark takes a marker.
func (r *removals) mark(key schemas.MarkerKey, m schemas.Marker) {
	r.markers[key] = m
	r.newest, r.oldest = max(r.newest, m.Until), min(r.oldest, m.At)
	r.single = r.single || key.Trait
}

// gate is the time up to which an impression may be refused.
func (r *removals) gate(least time.Duration) int64 {
	if least == 0 {
		return r.newest
	}
	return max(r.newest, r.clock-least.Milliseconds())
}

// remembers takes over what is known of a task that has come, and forgets those
// that have gone.
func (w *worker) remembers(t *task) error {
	maps.DeleteFunc(w.removals, func(number int32, r *removals) bool { return w.tasks.owns(number) != r.task })
	maps.DeleteFunc(w.plans, func(number int32, p *plan) bool { return w.tasks.owns(number) != p.task })
	w.removals[t.number] = t.removals
	w.replays.comes(t, w.o.jobs)
	p, err := w.planOf(w.replays.ctx, t, t.removals.definitions)
	if err != nil {
		return fmt.Errorf("looking up the definitions of task %d: %w", t.number, err)
	}
	w.setPlan(t.number, p)
	return nil
}

func (w *worker) setGate() {
	w.gate = math.MinInt64
	for _, r := range w.removals {
		w.gate = max(w.gate, r.gate(w.leastExpiry))
	}
}

// refuses tells whether an impression comes too late for its trait: one that was
// forgotten, or that would have expired. Most are seen after all that was ever
// removed.
func (w *worker) refuses(s *sighting) bool { return s.seen.SeenAt <= w.gate && w.removed(s) }

func (w *worker) removed(s *sighting) bool {
	r := w.removals[s.task]
	switch {
	case r == nil:
		return false
	case s.expires > 0 && s.seen.SeenAt <= r.clock-s.expires.Milliseconds():
		return true
	case s.seen.SeenAt > r.newest:
		return false
	}
	app, user, one := w.o.Config.App, s.key, s.key
	user.Trait = nil
	one.Trait, _, _ = trait.Unshadow(s.key.Trait)
	if m, ok := r.markers[schemas.MarkerKeyOf(app, user)]; ok && s.seen.SeenAt <= m.Until {
		return true
	}
	if !r.single {
		return false
	}
	m, ok := r.markers[schemas.MarkerKeyOf(app, one)]
	return ok && s.seen.SeenAt <= m.Until
}

// remove makes a part of the transaction what commands and time take away. It comes
// after all impressions of the transaction: what is forgotten then is all of it.
func (w *worker) remove() error {
	now := time.Now()
	forgets := map[int32][]command{}
	for _, c := range w.in.commands {
		r := w.removals[c.task]
		switch {
		case r == nil:
			return errNotOwner
		case c.Kind == schemas.Tick:
			// It never goes back: one tick from years ahead would expire all that comes.
			w.tick(r, min(c.Time, now.UnixMilli()))
		default:
			forgets[c.task] = append(forgets[c.task], c)
		}
	}
	for _, task := range slices.Sorted(maps.Keys(forgets)) {
		if err := w.forget(w.removals[task], forgets[task], now.UnixMilli()); err != nil {
			return err
		}
	}
	if err := w.expire(); err != nil {
		return err
	}
	w.writeTicks(now)
	w.dropMarkers(now)
	if len(w.in.commands) > 0 {
		w.setGate()
	}
	return nil
}

// forget removes the traits of users and leaves their markers.
func (w *worker) forget(r *removals, commands []command, now int64) error {
	users, until := usersOf(commands, now)
	var failed error
	err := w.state.WantUsers(r.task.number, users, func(i int, slot state.Slot) {
		key, err := w.state.Key(slot)
		if err != nil {
			failed = cmp.Or(failed, err)
			return
		}
		rec := w.state.Record(slot)
		seen, wanted := rec.Seen.SeenAt, false
		of, _, _ := trait.Unshadow(key.Trait)
		for name := range until[i] {
			if name == allTraits || name == string(of) {
				until[i][name], wanted = max(until[i][name], seen), true
			}
		}
		if wanted && !rec.Absent() {
			w.takeAway(r, slot, key, trait.Forgotten, now)
		}
	})
	if err = cmp.Or(err, failed); err != nil {
		return err
	}
	for i, u := range users {
		for name, at := range until[i] {
			k := trait.Key{Identity: u.Identity, User: []byte(u.ID)}
			if name != allTraits {
				k.Trait = []byte(name)
			}
			w.leaveMarker(r, k, schemas.Marker{Until: at, At: now})
		}
	}
	return nil
}

// allTraits stands for all of a user's: no trait has this name.
const allTraits = ""

// usersOf returns whom commands want to forget, each once, and the traits with the
// time until which impressions of them are to be refused at least.
func usersOf(commands []command, now int64) ([]state.User, []map[string]int64) {
	var users []state.User
	var until []map[string]int64
	places := map[state.User]int{}
	for _, c := range commands {
		u := state.User{Identity: c.Identity, ID: string(c.user)}
		i, ok := places[u]
		if !ok {
			i = len(users)
			places[u] = i
			users, until = append(users, u), append(until, map[string]int64{})
		}
		until[i][string(c.Trait)] = now
	}
	return users, until
}

// leaveMarker has a marker refuse what comes late. It never goes back.
func (w *worker) leaveMarker(r *removals, k trait.Key, m schemas.Marker) {
	key := schemas.MarkerKeyOf(w.o.Config.App, k)
	m.Until = max(m.Until, r.markers[key].Until)
	r.mark(key, m)
	w.state.Set(r.task.number, schemas.AppendMarkerKey(nil, key), schemas.AppendMarker(nil, m))
}

// takeAway removes a trait, with a tombstone if a value of it is out.
func (w *worker) takeAway(r *removals, slot state.Slot, key trait.Key, reason string, at int64) {
	rec := w.state.Record(slot)
	_, _, shadow := trait.Unshadow(key.Trait) // of which nothing was sent
	if e, ok := rec.Removal(w.o.Config.App, key, reason, at); ok && !shadow {
		w.out.remove(r.task.number, key, &e)
		w.tally.change(trait.Removed)
	}
	w.state.Remove(slot)
}

// canPlace tells whether a transaction may write for a task.
func (w *worker) canPlace(t *task) bool {
	_, ok := w.seat.ledger.place(partition{w.o.Topics.Inbox.Name, t.number})
	return ok && w.tasks.owns(t.number) == t
}

// hasPlace sees to it that the transaction commits an offset of a task's inputs,
// unchanged if it has read nothing of them: without one it would not be fenced.
func (w *worker) hasPlace(t *task) bool {
	if w.tasks.owns(t.number) != t {
		return false
	}
	if slices.ContainsFunc(w.batch.spans, func(s span) bool { return s.number == t.number }) {
		return true
	}
	p := partition{w.o.Topics.Inbox.Name, t.number}
	at, ok := w.seat.ledger.place(p)
	if ok {
		w.batch.at[p] = len(w.batch.spans)
		w.batch.spans = append(w.batch.spans, span{p, at})
	}
	return ok
}

// remove adds the tombstone that an emission is.
func (b *outbox) remove(task int32, key trait.Key, e *trait.Emission) {
	var r schemas.ChangeRecord
	b.arena, r = b.changes.Append(b.arena, key, e, trait.ChangeID(b.o.Config.App, key, e))
	b.add(kgo.Record{
		Topic: b.o.Topics.Traits.Name, Partition: task,
		Key: r.Key, Headers: b.changeHeaders(&r), Timestamp: b.timestamp(b.traitsTimes, e.SeenAt, e.SeenAt),
	})
}
