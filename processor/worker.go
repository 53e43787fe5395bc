package processor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"traitstream/kafka"
	"traitstream/processor/group"
	"traitstream/schemas/avro"
	"traitstream/state"
	"traitstream/trait"
)

// worker is one loop with one seat in the group. A process has several, which
// share its store; each has tasks, clients and transactions of its own, so one
// that aborts or waits leaves the others alone.
type worker struct {
	o        *Options
	number   int
	seatName string
	owners   *owners
	tasks    *tasks
	seat     *seat
	// starts are the seat's, for those beside the loop.
	starts atomic.Pointer[starts]

	batch  batch
	limit  int   // of records that a poll takes
	most   int64 // moves that a transaction logs
	logged int64 // moves that the present one logs at most
	in     *intake
	state  *state.Overlay
	out    *outbox
	tally  *tally
	marks  marks
	moved  bool // the batch has moved last-seen times that are not logged
	// logAll has the next transaction log all moves.
	logAll    bool
	compacted map[string]bool // sources
	// begins is when the next transaction may begin.
	begins time.Time
	// removals are what the tasks here know of what was removed, and gate the time
	// up to which one of them may refuse an impression.
	removals    map[int32]*removals
	gate        int64
	leastExpiry time.Duration // after which the first traits expire; 0: none do
	swept, kept time.Time     // when stale traits and old markers were last looked for
	stale       trait.Record  // for that
	replays     *replays
	// plans are by which definitions tasks are computed, other than those that the
	// process has begun with.
	plans   map[int32]*plan
	scratch []byte
	// unstored are the tasks of which something waits for the store, until storeBy.
	unstored map[int32]*task
	storeBy  time.Time

	beat  atomic.Int64 // when the loop last came round, Unix ns
	ready atomic.Bool
	// failures takes errors that are found beside the loop.
	failures chan error
	desk     *desk
}

func newWorker(o *Options, number int, owners *owners, r *restorer) *worker {
	return &worker{
		o: o, number: number, seatName: o.Instance.seat(number), owners: owners,
		tasks: newTasks(o, owners, r), batch: batch{at: map[partition]int{}}, limit: batchRecords, most: mostMoves,
		failures: make(chan error, 1), compacted: compactedSources(o), leastExpiry: o.Traits.LeastExpiry(),
		desk: newDesk(),
	}
}

// fail makes the loop take its seat anew for an error that was found beside it.
func (w *worker) fail(err error) {
	select {
	case w.failures <- err:
	default: // one is enough
	}
}

// failed returns an error that was found beside the loop.
func (w *worker) failed() error {
	select {
	case err := <-w.failures:
		return err
	default:
		return nil
	}
}

// renew gives the worker new memory: that of a seat that failed may still be in
// its clients' hands.
func (w *worker) renew() {
	w.batch.reset()
	w.unstored = map[int32]*task{}
	w.removals, w.gate = map[int32]*removals{}, math.MinInt64
	w.marks, w.logAll = newMarks(w.o), false
	w.tally, w.state = newTally(), w.o.Store.NewOverlay()
	w.out = newOutbox(w.o, w.tally, w.out)
	w.in = newIntake(w.o, w.tally, w.out, w.state)
	w.replays, w.plans = newReplays(), map[int32]*plan{}
	w.in.shares, w.in.plans = w.replays.shares, w.plans
}

// run loops until stop ends or an error comes that new clients can't mend. The
// work of an open transaction goes on until hard ends.
func (w *worker) run(stop, hard context.Context) error {
	defer w.tasks.close()
	defer close(w.desk.closed)
	for failures := 0; ; failures++ {
		err := w.sit(stop, hard, &failures)
		if stop.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
			return hard.Err()
		}
		if err == nil || !retriable(err) {
			return err
		}
		w.o.Log.Warn("a worker lost its place and takes it again", "worker", w.number, "cause", err, "in", backoff(failures).String())
		if !sleep(stop, backoff(failures)) {
			return nil
		}
	}
}

// sit takes the worker's seat in the group and processes until something fails.
func (w *worker) sit(stop, hard context.Context, failures *int) error {
	w.renew()
	s, err := newSeat(stop, w)
	if err != nil {
		return err
	}
	w.seat = s
	w.starts.Store(s.starts)
	defer w.starts.Store(nil)
	defer w.tasks.forget()
	defer s.close()
	defer w.replays.close()
	for stop.Err() == nil || len(w.marks.segments) > 0 {
		w.beat.Store(time.Now().UnixNano())
		committed, err := w.turn(stop, hard)
		if err != nil {
			return w.explain(stop, err)
		}
		if committed {
			*failures = 0
		}
	}
	return w.store()
}

// errSeatTaken says that two live processes use one seat. Going on would make
// them fence each other for ever.
var errSeatTaken = errors.New("another process has taken this one's seat in the group: " +
	"is state.dir a copy of a folder that is in use elsewhere? Give each process a folder of its own")

// explain finds out whether an error means that another process has taken the
// seat. A producer is fenced for other reasons too: by who took over from a
// worker that stood still, and by the broker when a transaction took too long.
func (w *worker) explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, avro.ErrAway):
		return err // no broker has told it
	case errors.Is(err, kerr.FencedInstanceID):
		return fmt.Errorf("%w (seat %s, folder %s): %w", errSeatTaken, w.seatName, w.o.Config.State.Dir, err)
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch):
		if w.taken(ctx) {
			return fmt.Errorf("%w (seat %s, folder %s): %w", errSeatTaken, w.seatName, w.o.Config.State.Dir, err)
		}
	}
	return kafka.Explain(err)
}

// takenLooks is how often the group is asked for who has the seat: whoever takes
// it fences the producer first and joins a moment later.
const takenLooks = 5

func (w *worker) taken(ctx context.Context) bool {
	adm := kadm.NewClient(w.o.Client)
	for range takenLooks {
		described, err := adm.DescribeGroups(ctx, w.o.Config.Group())
		if err == nil {
			for _, m := range described[w.o.Config.Group()].Members {
				if m.InstanceID == nil || *m.InstanceID != w.seatName {
					continue
				}
				if who, ok := memberOf(m); ok && who.Run != w.o.Instance.run {
					return true
				}
			}
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return false
		}
	}
	return false
}

// memberOf returns what a described member says of itself.
func memberOf(m kadm.DescribedGroupMember) (group.Member, bool) {
	meta, ok := m.Join.AsConsumer()
	if !ok {
		return group.Member{}, false
	}
	return group.ParseMember(meta.UserData)
}
