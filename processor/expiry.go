package processor

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

const (
	// tickParts is how often a clock ticks within the time after which the first
	// traits expire, between once a second and once a minute.
	tickParts           = 20
	leastTick, mostTick = time.Second, time.Minute
	// sweepRate is how many keys a worker looks at in a second while it sweeps, some
	// parts of a thousand of a core; sweepPause is how long it waits between two looks.
	sweepRate  = 10_000
	sweepPause = 100 * time.Millisecond
	// mostStale bounds how many traits one transaction lets expire.
	mostStale = 1000
)

// sweep is a way through a task's keys in search of what has expired. It goes by
// the task's clock, some keys at a time, and begins where a tick has brought the clock
// to a time at which something may expire.
type sweep struct {
	going  bool
	stored bool     // what was waiting for the store is there
	behind []byte   // the key to go on from; nil: the first
	stale  [][]byte // keys of what has expired by what the store knows
	// next is the earliest time at which something may expire that has come since
	// the sweep began, or after it anything; found that of what was met.
	next, found int64
}

// tickInterval is how often clocks tick; 0: never, since nothing expires.
func (w *worker) tickInterval() time.Duration {
	if w.leastExpiry == 0 {
		return 0
	}
	return min(max(w.leastExpiry/tickParts, leastTick), mostTick)
}

// tickDue returns the time of the tick that a task's clock needs, if it does: now,
// or where the group is behind, when the oldest record of the sources was written that
// it has not read. What waits there may be what keeps a trait from expiring.
func (w *worker) tickDue(r *removals, now time.Time) (int64, bool) {
	every := w.tickInterval()
	if every == 0 || now.Sub(r.ticked) < every || w.tasks.owns(r.task.number) != r.task {
		return 0, false
	}
	at := min(now.UnixMilli(), r.task.reached.Load())
	return at, at-r.clock >= every.Milliseconds()
}

// writeTicks puts ticks into the inbox of the tasks that need them.
func (w *worker) writeTicks(now time.Time) {
	for number, r := range w.removals {
		at, due := w.tickDue(r, now)
		if !due || !w.hasPlace(r.task) {
			continue
		}
		w.out.add(kgo.Record{
			Topic: w.o.Topics.Inbox.Name, Partition: number, Timestamp: now,
			Headers: fleet.RecordHeaders(schemas.Command{Kind: schemas.Tick, Time: at}.Headers()),
		})
		r.ticked = now
	}
}

// tick moves a task's clock. What the sweep before has found and nothing has removed
// yet stays noted: it would be lost to a clock that ticks while each look finds some.
func (w *worker) tick(r *removals, to int64) {
	if to <= r.clock {
		return
	}
	r.clock = to
	w.state.Set(r.task.number, schemas.ClockKey(), schemas.AppendClock(nil, to))
	if s := &r.sweep; w.leastExpiry > 0 && !s.going && to >= s.next {
		*s = sweep{going: true, stale: s.stale, next: math.MaxInt64, found: math.MaxInt64}
	}
}

// mayExpire notes that a trait has been set that may expire one day.
func (w *worker) mayExpire(s *sighting) {
	if s.expires == 0 {
		return
	}
	if r := w.removals[s.task]; r != nil {
		r.sweep.next = min(r.sweep.next, s.seen.SeenAt+w.leastExpiry.Milliseconds())
	}
}

// clockOf returns a task's clock, for its checkpoint.
func (w *worker) clockOf(number int32) int64 {
	if r := w.removals[number]; r != nil {
		return r.clock
	}
	return 0
}

// pressing tells whether there is something to commit though nothing was read.
func (w *worker) pressing() bool {
	if w.flushDue() {
		return true
	}
	now := time.Now()
	for number, r := range w.removals {
		if w.tasks.owns(number) != r.task {
			continue
		}
		_, tick := w.tickDue(r, now)
		if _, known := w.seat.ledger.place(partition{w.o.Topics.Inbox.Name, number}); known && (tick || len(r.sweep.stale) > 0) {
			return true
		}
	}
	return false
}

// lookForStale takes the sweeps that are going some keys further. It comes between
// two transactions.
func (w *worker) lookForStale() error {
	now := time.Now()
	since := now.Sub(w.swept)
	if w.leastExpiry == 0 || since < sweepPause {
		return nil
	}
	w.swept = now
	most := int(min(since, time.Second) * sweepRate / time.Second)
	for _, r := range w.removals {
		if most <= 0 {
			return nil
		}
		if !r.sweep.going || len(r.sweep.stale) > 0 {
			continue
		}
		var err error
		if most, err = w.sweepOn(r, most); err != nil {
			return fmt.Errorf("looking for what has expired: %w", err)
		}
	}
	return nil
}

// sweepOn takes a sweep some keys further, and returns how many are left of those.
func (w *worker) sweepOn(r *removals, most int) (int, error) {
	s := &r.sweep
	if !s.stored {
		if err := w.store(); err != nil {
			return 0, err
		}
		s.stored = true
	}
	var err error
	s.behind, err = w.o.Store.Page(r.task.number, s.behind, func(e state.Entry) bool {
		most--
		w.consider(r, e)
		return most > 0 && len(s.stale) < mostStale
	})
	if err != nil {
		return 0, err
	}
	if s.behind == nil {
		s.going, s.next = false, min(s.next, s.found)
	}
	return most, nil
}

// consider notes a record of the store whose trait has expired by it, and of others
// when they may.
func (w *worker) consider(r *removals, e state.Entry) {
	s := &r.sweep
	seen, ok := schemas.SeenAt(e.Value)
	if at := seen + w.leastExpiry.Milliseconds(); ok && at > r.clock {
		s.found = min(s.found, at)
		return
	}
	key, err := schemas.DecodeStateKey(e.Key)
	if err != nil || schemas.DecodeRecord(e.Value, &w.stale) != nil {
		return // whoever wants it finds that out
	}
	if _, _, shadow := trait.Unshadow(key.Trait); shadow {
		return
	}
	switch at, expires := w.expiresAt(r.task.number, key, &w.stale); {
	case !expires:
	case at > r.clock:
		s.found = min(s.found, at)
	default:
		s.stale = append(s.stale, slices.Clone(e.Key))
	}
}

// setOf returns the definitions by which a task is computed.
func (w *worker) setOf(number int32) *trait.Set {
	if p := w.plans[number]; p != nil {
		return p.live.set
	}
	return w.o.Traits
}

// expiresAt returns when a trait expires, if it does, ms since 1970.
func (w *worker) expiresAt(task int32, key trait.Key, rec *trait.Record) (int64, bool) {
	after := w.setOf(task).ExpireAfter(key.Trait, rec)
	return rec.Seen.SeenAt + after.Milliseconds(), after > 0
}

// expire removes what sweeps have found, unless it has been seen since.
func (w *worker) expire() error {
	for number, r := range w.removals {
		s := &r.sweep
		if len(s.stale) == 0 || !w.hasPlace(r.task) {
			continue
		}
		slots := make([]state.Slot, len(s.stale))
		for i, key := range s.stale {
			slots[i] = w.state.WantState(number, key)
		}
		s.stale = nil
		if err := w.state.Load(); err != nil {
			return err
		}
		for _, slot := range slots {
			if err := w.expireSlot(r, slot); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *worker) expireSlot(r *removals, slot state.Slot) error {
	key, err := w.state.Key(slot)
	if err != nil {
		return err
	}
	rec := w.state.Record(slot)
	switch at, expires := w.expiresAt(r.task.number, key, rec); {
	case rec.Absent(), !expires:
	case at > r.clock:
		r.sweep.next = min(r.sweep.next, at)
	default:
		w.takeAway(r, slot, key, trait.Expired, r.clock)
	}
	return nil
}
