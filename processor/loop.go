package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// batchRecords bounds what one poll takes (fit), transactionRecords and
	// transactionBytes what one transaction reads: with fetchBytes they bound the
	// memory of a backlog.
	batchRecords       = 10_000
	transactionRecords = 50_000
	transactionBytes   = 32 << 20
	// idlePoll is the longest that the loop sleeps without coming round.
	idlePoll = time.Second
	// mostMoves is how many moves a transaction logs where brokers are not slow.
	mostMoves = 1 << 20
	// markersWait is how long after a transaction's end the next one begins. The
	// end is answered before its markers are written, and until they are, brokers
	// make the next one's records wait, Kafka for 20 ms at a time.
	markersWait = 7 * time.Millisecond
	// lastLook is how long before that the loop looks for records. A look takes
	// what was fetched since the one before; another takes what came after that.
	lastLook = 2 * time.Millisecond
)

// boundary is a place between two steps of the loop.
type boundary uint8

const (
	polled boundary = iota
	decoded
	merged
	produced    // the records are with the producer
	flushed     // the brokers have them
	offsetsSent // the transaction has its offsets
	ending      // before its end is asked for
	ended       // it has committed
	applied     // the store has it
	boundaries
)

// reach tells a test where the loop is; its error ends the worker there.
func (w *worker) reach(b boundary) error {
	if w.o.at == nil {
		return nil
	}
	return w.o.at(w.number, b)
}

// turn reads, processes and commits one batch. Rebalances wait from its first
// poll until the store has what was committed: a task that moved between the two
// would be restored from a place that the store does not have yet.
func (w *worker) turn(stop, hard context.Context) (committed bool, err error) {
	defer w.seat.allowRebalance()
	defer w.drop()
	if err := errors.Join(w.failed(), w.tasks.resume(w.seat)); err != nil {
		return false, err
	}
	if err := w.adopt(); err != nil {
		return false, err
	}
	w.answer()
	w.ready.Store(w.tasks.ready())
	if err := errors.Join(w.lookForStale(), w.followJobs()); err != nil {
		return false, err
	}
	sleep(stop, time.Until(w.begins.Add(-lastLook)))
	if err := w.read(stop, hard); err != nil {
		return false, err
	}
	stopping := stop.Err() != nil
	if !stopping {
		if err := w.replay(); err != nil {
			return false, err
		}
	}
	w.logAll = w.logAll || stopping
	if w.batch.count == 0 && !w.replays.touched {
		// A poll that came to nothing may have let rebalances go on.
		if !w.pressing() || !w.seat.blockRebalance() || !w.pressing() {
			return false, w.storeIfDue()
		}
	}
	return w.commit(hard)
}

// read polls and processes until there is something to commit. Changes are kept
// waiting for the markers of those before them alone; what nobody waits for is
// committed together.
func (w *worker) read(stop, hard context.Context) error {
	var deadline time.Time
	for wait := idlePoll; ; wait = time.Until(deadline) {
		if err := w.poll(stop, wait); err != nil {
			return err
		}
		if w.batch.count == 0 {
			return nil
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(w.o.Config.Processor.CommitInterval)
		}
		records, err := w.heed(hard, w.batch.records)
		if err := errors.Join(err, hard.Err()); err != nil {
			return err
		}
		if err := errors.Join(w.process(records), hard.Err()); err != nil {
			return err
		}
		w.batch.processed()
		if w.out.pending() && w.begins.Before(deadline) {
			deadline = w.begins
		}
		if w.due(stop, deadline) {
			return nil
		}
	}
}

// due tells whether the batch is to be committed now.
func (w *worker) due(stop context.Context, deadline time.Time) bool {
	return w.out.pending() && w.batch.count >= w.limit || w.batch.count >= transactionRecords ||
		w.batch.bytes >= transactionBytes || len(w.in.commands) >= mostCommands || !time.Now().Before(deadline) || stop.Err() != nil || w.tasks.waiting()
}

// poll waits for records, no longer than wait.
func (w *worker) poll(stop context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(stop, wait)
	defer cancel()
	defer w.tasks.wakes(cancel)()
	if w.batch.count == 0 { // else it has something to commit, soon
		defer w.desk.wakes(cancel)()
	}
	if w.replayWaits() { // looked at after wakes, which hears of what comes later
		eager := time.AfterFunc(eagerPoll, cancel)
		defer eager.Stop()
	}
	if err := w.seat.poll(ctx, &w.batch, w.limit); err != nil {
		return err
	}
	if len(w.batch.records) == 0 {
		return nil
	}
	return w.reach(polled)
}

// process decodes records, looks up the state that they touch, and merges.
func (w *worker) process(records []*kgo.Record) error {
	for len(records) > 0 {
		n, err := w.in.decode(records)
		if err != nil {
			return err
		}
		records = records[n:]
		if err := w.reach(decoded); err != nil {
			return err
		}
		if err := errors.Join(w.state.Load(), w.state.Taken()); err != nil {
			return fmt.Errorf("reading state: %w", err)
		}
		for i := range w.in.sightings {
			if i%glance == 0 {
				w.in.touch(i, glance)
			}
			if err := w.merge(&w.in.sightings[i]); err != nil {
				return fmt.Errorf("replacing definitions: %w", err)
			}
		}
	}
	return w.reach(merged)
}

// commit writes the batch to Kafka and then to the store.
func (w *worker) commit(hard context.Context) (bool, error) {
	start := time.Now()
	if err := w.remove(); err != nil {
		return false, fmt.Errorf("removing traits: %w", err)
	}
	w.logProgress()
	w.logPlans()
	w.flush()
	if err := w.state.Taken(); err != nil {
		return false, fmt.Errorf("logging last-seen times: %w", err)
	}
	for entry := range w.state.Dirty() {
		w.out.changelog(entry)
	}
	touched, err := w.touched()
	if err != nil {
		return false, err
	}
	err = w.write(hard)
	w.fit(time.Since(start), err != nil)
	if err != nil {
		return false, fmt.Errorf("committing: %w", err)
	}
	w.count(start)
	if err := w.reach(ended); err != nil {
		return false, err
	}
	err = w.owners.write(touched, func() error { return w.state.Commit(w.out.checkpoints(time.Now(), w.clockOf)) })
	if err != nil {
		return false, err
	}
	w.waits(touched)
	return true, errors.Join(w.reach(applied), w.storeIfDue())
}

// fit makes polls and flushes smaller after a transaction that was open for longer
// than the broker lets it, so that a large one is done in parts where brokers are slow or
// throttle, and larger again while transactions are quick.
func (w *worker) fit(took time.Duration, failed bool) {
	switch {
	case failed && took >= transactionTimeout:
		if w.batch.count > 0 {
			w.limit = max(1, min(w.limit, w.batch.count)/2)
		} else if w.replays.touched {
			w.limit = max(1, min(w.limit, replaceKeys)/2)
		}
		w.most = max(1, min(w.most, w.logged)/2)
	case !failed && took < transactionTimeout/4:
		w.limit = min(batchRecords, 2*w.limit)
		w.most = min(mostMoves, 2*w.most)
	}
}

// touched returns the tasks whose state the batch changes. Each must have been
// read from: only offsets carry the group's generation into the transaction, so
// without one of the task's own it would not be fenced.
func (w *worker) touched() ([]*task, error) {
	read := map[int32]bool{}
	for _, s := range w.batch.spans {
		read[s.number] = true
	}
	if w.moved && slices.ContainsFunc(w.batch.spans, func(s span) bool { return s.number < w.o.Topics.Tasks && w.tasks.owns(s.number) == nil }) {
		return nil, fmt.Errorf("moving last-seen times: %w", errNotOwner)
	}
	var touched []*task
	seen := map[int32]bool{}
	for entry := range w.state.Dirty() {
		if seen[entry.Task] {
			continue
		}
		seen[entry.Task] = true
		t := w.tasks.owns(entry.Task)
		if t == nil || !read[entry.Task] {
			return nil, fmt.Errorf("task %d: %w", entry.Task, errNotOwner)
		}
		touched = append(touched, t)
	}
	return touched, nil
}

// write commits the batch's records with its offsets. What made no record
// commits its offsets alone. Any error makes the worker take its seat anew and
// read the batch again.
func (w *worker) write(hard context.Context) error {
	switch {
	case !w.out.pending() && len(w.batch.spans) == 0:
		return nil // of moves whose tasks have gone
	case !w.out.pending():
		return w.seat.ledger.commit(hard, w.batch.spans)
	}
	if err := w.seat.begin(); err != nil {
		return err
	}
	// After that the brokers have given the transaction up.
	open, cancel := context.WithTimeout(hard, transactionTimeout)
	defer cancel()
	w.seat.produce(open, w.out.records, w.out.produced)
	if err := w.reach(produced); err != nil {
		return err
	}
	if err := w.seat.flush(open); err != nil {
		return err
	}
	// The client would commit the rest of a transaction in which a record failed.
	if err := w.out.failed(); err != nil {
		return w.abort(hard, w.out.relearn(hard, err))
	}
	if err := w.reach(flushed); err != nil {
		return err
	}
	if err := w.seat.ledger.commitInTransaction(hard, w.batch.spans); err != nil {
		return w.abort(hard, err)
	}
	if err := errors.Join(w.reach(offsetsSent), w.reach(ending)); err != nil {
		return err
	}
	if err := w.seat.end(hard, kgo.TryCommit); err != nil {
		w.o.Metrics.commits.WithLabelValues("failed").Inc()
		return err
	}
	if w.batch.count < w.limit { // with that much at once, the work takes longer than the markers
		w.begins = time.Now().Add(markersWait)
	}
	return nil
}

// abort ends the transaction without effect, so that no reader waits for it.
func (w *worker) abort(hard context.Context, cause error) error {
	w.o.Metrics.commits.WithLabelValues("aborted").Inc()
	return errors.Join(cause, w.seat.end(hard, kgo.TryAbort))
}

// drop forgets the batch and what was made of it.
func (w *worker) drop() {
	w.moved, w.replays.touched = false, false
	w.batch.reset()
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
	w.replays.tell(w.o.jobs)
}
