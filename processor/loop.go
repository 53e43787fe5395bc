package processor

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/state"
)

const (
	// batchRecords bounds what one poll takes, transactionRecords what one
	// transaction reads: with fetchBytes they bound the memory of a backlog.
	batchRecords       = 10_000
	transactionRecords = 50_000
	// idlePoll is the longest that the loop sleeps without coming round.
	idlePoll = time.Second
)

// worker is one loop with one seat in the group and one producer.
type worker struct {
	o    *Options
	seat *seat
	// starts are the seat's, for those beside the loop.
	starts atomic.Pointer[starts]
	tasks  *tasks
	in     *intake
	state  *state.Overlay
	out    *outbox
	tally  *tally
	beat   *atomic.Int64
	ready  *atomic.Bool
	// failures takes errors that are found beside the loop.
	failures chan error
}

func newWorker(o *Options, beat *atomic.Int64, ready *atomic.Bool) *worker {
	return &worker{o: o, beat: beat, ready: ready, tasks: newTasks(o), failures: make(chan error, 1)}
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
// its client's hands.
func (w *worker) renew() {
	w.tally, w.state = newTally(), w.o.Store.NewOverlay()
	w.out = newOutbox(w.o, w.tally)
	w.in = newIntake(w.o, w.tally, w.out, w.state)
}

// run loops until stop ends or an error comes that a new client can't mend. The
// work of an open transaction goes on until hard ends.
func (w *worker) run(stop, hard context.Context) error {
	defer w.tasks.close()
	for failures := 0; ; failures++ {
		err := w.sit(stop, hard, &failures)
		if stop.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
			return hard.Err()
		}
		if err == nil || !retriable(err) {
			return err
		}
		w.o.Log.Warn("the worker lost its place and takes it again", "cause", err, "in", backoff(failures).String())
		if !sleep(stop, backoff(failures)) {
			return nil
		}
	}
}

// sit takes the worker's seat in the group and processes until something fails.
func (w *worker) sit(stop, hard context.Context, failures *int) error {
	w.renew()
	s, err := newSeat(stop, w.o, w.tasks, w.out)
	if err != nil {
		return err
	}
	w.seat = s
	w.starts.Store(s.starts)
	defer w.starts.Store(nil)
	defer w.tasks.forget()
	defer s.close()
	for stop.Err() == nil {
		w.beat.Store(time.Now().UnixNano())
		committed, err := w.transaction(stop, hard)
		if err != nil {
			return err
		}
		if committed {
			*failures = 0
		}
	}
	return nil
}

// transaction reads, processes and commits one batch. Rebalances wait from its
// first poll until the store has what was committed: a task that moved between
// the two would be restored from a place that the store does not have yet.
func (w *worker) transaction(stop, hard context.Context) (committed bool, err error) {
	defer w.seat.allowRebalance()
	if err := errors.Join(w.failed(), w.tasks.resume(w.seat)); err != nil {
		return false, err
	}
	w.ready.Store(w.tasks.ready())
	if !w.tasks.settled() {
		if err := w.seat.settle(hard); err != nil {
			return false, err
		}
	}
	records, err := w.poll(stop, idlePoll)
	if err != nil || len(records) == 0 {
		return false, err
	}
	deadline := time.Now().Add(w.o.Config.Processor.CommitInterval)
	if err := errors.Join(w.seat.begin(), hard.Err()); err != nil {
		return false, err
	}
	for read := 0; ; {
		read += len(records)
		if err := w.process(records); err != nil {
			return false, errors.Join(err, w.abort(hard))
		}
		// Changes are not kept waiting; what nobody waits for is committed
		// together.
		left := time.Until(deadline)
		if w.out.pending() || left <= 0 || read >= transactionRecords || stop.Err() != nil {
			break
		}
		if records, err = w.poll(stop, left); err != nil {
			return false, errors.Join(err, w.abort(hard))
		}
	}
	return w.commit(hard)
}

// poll waits for records, no longer than wait.
func (w *worker) poll(stop context.Context, wait time.Duration) ([]*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(stop, wait)
	defer cancel()
	defer w.tasks.wakes(cancel)()
	return w.seat.poll(ctx, batchRecords)
}

// process decodes records, looks up the state that they touch, and merges.
func (w *worker) process(records []*kgo.Record) error {
	for len(records) > 0 {
		n, err := w.in.decode(records)
		if err != nil {
			return err
		}
		records = records[n:]
		if err := w.state.Load(); err != nil {
			return fmt.Errorf("reading state: %w", err)
		}
		for i := range w.in.sightings {
			w.merge(&w.in.sightings[i])
		}
	}
	return nil
}

// commit produces what the batch made, ends the transaction and applies it to
// the store.
func (w *worker) commit(hard context.Context) (bool, error) {
	defer w.drop()
	start := time.Now()
	for entry := range w.state.Dirty() {
		w.out.changelog(entry)
	}
	if err := w.produce(hard); err != nil {
		return false, errors.Join(err, w.abort(hard))
	}
	committed, err := w.seat.end(hard, kgo.TryCommit)
	if err != nil {
		w.o.Metrics.commits.WithLabelValues("failed").Inc()
		return false, fmt.Errorf("committing: %w", err)
	}
	if !committed {
		w.o.Metrics.commits.WithLabelValues("aborted").Inc()
		return false, nil
	}
	if err := w.state.Apply(w.out.checkpoints(time.Now())); err != nil {
		return false, fmt.Errorf("writing state to %s (is the disk full?): %w", w.o.Config.State.Dir, err)
	}
	w.count(start)
	return true, nil
}

// produce sends what the batch made and waits for it. The client would commit
// the rest of a transaction in which a record failed, so that is asked here.
func (w *worker) produce(hard context.Context) error {
	if err := w.seat.produce(hard, w.out.records, w.out.produced); err != nil {
		return err
	}
	if err := w.out.failed(); err != nil {
		return w.out.relearn(hard, err)
	}
	return nil
}

// abort ends the transaction without effect; its input will be read again.
func (w *worker) abort(hard context.Context) error {
	defer w.drop()
	w.o.Metrics.commits.WithLabelValues("aborted").Inc()
	_, err := w.seat.end(hard, kgo.TryAbort)
	return err
}

// drop forgets the open transaction's work.
func (w *worker) drop() {
	w.state.Reset()
	w.in.reset()
	w.out.reset()
	w.tally.reset()
}

func (w *worker) count(start time.Time) {
	m := w.o.Metrics
	m.commits.WithLabelValues("committed").Inc()
	m.commitSeconds.Observe(time.Since(start).Seconds())
	m.lastCommit.SetToCurrentTime()
	w.tally.addTo(m)
}
