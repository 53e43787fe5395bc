package processor

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"traitstream/state"
)

// owners says which of a process's workers may write a task's state. The group
// gives a task to one worker at a time, but a worker that was expelled learns
// so later than the one that comes after it, which may sit in the same process
// and so on the same store. A task is its own token: an assignment's restore
// takes it, and every write checks it.
type owners struct {
	store *state.Store

	mu    sync.Mutex
	tasks map[int32]*owner
}

// owner is who has a task. Its lock is held while the task's state is written.
type owner struct {
	mu sync.Mutex
	by *task // nil: nobody
}

// errNotOwner says that a task has gone to another worker of the process.
var errNotOwner = errors.New("the task has gone to another worker of this process")

func newOwners(s *state.Store) *owners {
	return &owners{store: s, tasks: map[int32]*owner{}}
}

func (o *owners) of(number int32) *owner {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := o.tasks[number]
	if w == nil {
		w = &owner{}
		o.tasks[number] = w
	}
	return w
}

// take makes t the owner of its task. On return whoever had it before writes no
// more, its restore included.
func (o *owners) take(t *task) {
	w := o.of(t.number)
	w.mu.Lock()
	before := w.by
	w.by = t
	w.mu.Unlock()
	if before != nil && before != t {
		before.cancel()
		<-before.done
	}
}

// release gives the task up, if t still has it.
func (o *owners) release(t *task) {
	w := o.of(t.number)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == t {
		w.by = nil
	}
}

// write calls fn while none of the tasks can change hands, and not at all when
// one of them has.
func (o *owners) write(tasks []*task, fn func() error) error {
	byNumber(tasks)
	for _, t := range tasks {
		w := o.of(t.number)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.by != t {
			return fmt.Errorf("writing state of task %d: %w", t.number, errNotOwner)
		}
	}
	return fn()
}

// byNumber is one order for all, so that two workers never wait for each other.
func byNumber(tasks []*task) {
	slices.SortFunc(tasks, func(a, b *task) int { return int(a.number) - int(b.number) })
}

// whileOwned calls fn while no task can change hands, with those that have.
func (o *owners) whileOwned(tasks []*task, fn func(gone []*task) error) error {
	var gone []*task
	byNumber(tasks)
	for _, t := range tasks {
		w := o.of(t.number)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.by != t {
			gone = append(gone, t)
		}
	}
	return fn(gone)
}

// ifFree calls fn while nobody has a task and nobody can take it.
func (o *owners) ifFree(number int32, fn func() error) error {
	w := o.of(number)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by != nil {
		return nil
	}
	return fn()
}
