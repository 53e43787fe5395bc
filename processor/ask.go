package processor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"traitstream/state"
)

// Errors of Ask; who asks may try again, elsewhere or later.
var (
	ErrElsewhere = errors.New("this process does not have the task")
	ErrRestoring = errors.New("the task's state is being restored")
	ErrBusy      = errors.New("the process does not come to answer")
)

// Ask returns what a task of this process knows of a user as of the last
// transaction that has committed, what is not yet in the store included. The
// worker that has the task answers between two transactions, which it is in for
// processor.commit_interval or as long as the brokers take; ctx bounds the wait.
// Never is it what is not committed, nor state of a task that is not here or is
// being restored.
func (p *Processor) Ask(ctx context.Context, l state.Lookup) (*state.Known, error) {
	here := false
	for _, w := range p.workers {
		if w.tasks.owns(l.Task) != nil {
			return w.desk.ask(ctx, l)
		}
		w.tasks.each(func(number int32, _ bool) { here = here || number == l.Task })
	}
	if here {
		return nil, fmt.Errorf("task %d: %w", l.Task, ErrRestoring)
	}
	return nil, fmt.Errorf("task %d: %w", l.Task, ErrElsewhere)
}

// mostQuestions wait at a desk.
const mostQuestions = 256

// answerTime is how long a turn answers at most, the last answer aside: questions
// take no more than a part of a worker's time, however many there are.
const answerTime = time.Millisecond

// desk is where questions wait for a worker's loop. The overlay is the loop's
// alone, so no lock is in its way.
type desk struct {
	waiting chan question
	closed  chan struct{} // when the worker has ended

	mu   sync.Mutex
	wake func() // ends a poll that waits with nothing read
}

// question is one, and where its answer goes.
type question struct {
	state.Lookup
	answer chan<- answer
}

type answer struct {
	known *state.Known
	err   error
}

func newDesk() *desk {
	return &desk{waiting: make(chan question, mostQuestions), closed: make(chan struct{}), wake: func() {}}
}

// ask waits for the loop's answer.
func (d *desk) ask(ctx context.Context, l state.Lookup) (*state.Known, error) {
	answered := make(chan answer, 1) // the loop never waits
	select {
	case d.waiting <- question{l, answered}:
	default:
		return nil, fmt.Errorf("%w: %d questions wait", ErrBusy, mostQuestions)
	}
	d.mu.Lock()
	d.wake()
	d.mu.Unlock()
	select {
	case a := <-answered:
		return a.known, a.err
	case <-d.closed:
		return nil, fmt.Errorf("task %d: %w", l.Task, ErrElsewhere)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w in time: %w", ErrBusy, ctx.Err())
	}
}

// wakes makes cancel end the poll under way when a question comes; the returned
// function takes it back. Those that are left from the turn before let it look
// for records first.
func (d *desk) wakes(cancel func()) func() {
	d.setWake(cancel)
	stop := func() bool { return true }
	if len(d.waiting) > 0 {
		stop = time.AfterFunc(answerTime, cancel).Stop
	}
	return func() { stop(); d.setWake(func() {}) }
}

func (d *desk) setWake(wake func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wake = wake
}

// answer answers what waits. It is called between two transactions, when the
// overlay has what was committed and nothing else.
func (w *worker) answer() {
	for began := time.Now(); time.Since(began) < answerTime; {
		select {
		case q := <-w.desk.waiting:
			known, err := w.known(q.Lookup)
			q.answer <- answer{known, err}
		default:
			return
		}
	}
}

// known looks a user up while the task can't change hands: a restore of somebody
// else in this process would drop its state meanwhile.
func (w *worker) known(l state.Lookup) (known *state.Known, err error) {
	t := w.tasks.owns(l.Task)
	if t == nil {
		return nil, fmt.Errorf("task %d: %w", l.Task, ErrElsewhere)
	}
	err = w.owners.write([]*task{t}, func() error {
		known, err = w.state.Known(l)
		return err
	})
	switch {
	case errors.Is(err, errNotOwner):
		return nil, fmt.Errorf("task %d: %w", l.Task, ErrElsewhere)
	case errors.Is(err, state.ErrTaken):
		return nil, fmt.Errorf("%w: %w", ErrRestoring, err)
	}
	return known, err
}

// TasksOf tells of how many tasks a store has a share, 0 if none was ever restored
// into it. Who is in which task depends on it.
func TasksOf(s *state.Store) (int32, error) {
	kept, err := s.Meta(tasksMeta)
	if err != nil || kept == nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(kept), 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("the state names %q as its number of tasks", kept)
	}
	return int32(n), nil
}
