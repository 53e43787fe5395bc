package state

import (
	"errors"
	"fmt"
	"sync"
)

// ErrTaken says that somebody else has taken a task while an overlay held what
// the store does not have: the task has to be restored.
var ErrTaken = errors.New("somebody else has taken the task's state meanwhile")

// holders says which overlay may rely on what it remembers of a task. Each write
// of others to the task, and each overlay that wants it, takes that away from the
// one before.
type holders struct {
	mu   sync.Mutex
	held map[int32]*Overlay
}

// take makes o the holder of a task; nil makes it nobody. It returns whether o
// was that before.
func (h *holders) take(task int32, o *Overlay) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held[task] == o {
		return true
	}
	if h.held == nil {
		h.held = map[int32]*Overlay{}
	}
	h.held[task] = o
	return false
}

// has tells whether o is the holder of a task.
func (h *holders) has(task int32, o *Overlay) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held[task] == o
}

// heldTask is what an overlay knows of a task.
type heldTask struct {
	task  int32
	epoch uint32    // goes up when what is remembered no longer counts
	open  uint32    // the last transaction that has wanted it
	keys  *taskKeys // nil: not asked for since the task has come
}

// Taken returns an ErrTaken, from then on, when somebody else has taken a task of
// which something was here alone, so that what is read of it since is too old.
func (o *Overlay) Taken() error { return o.err }

// lose forgets a task that somebody else has taken.
func (o *Overlay) lose(task int32) {
	if _, waits := o.cps[task]; waits || o.hasMoves(task) {
		o.err = fmt.Errorf("task %d: %w", task, ErrTaken)
	}
	o.Forget(task)
}

// hold takes a task for the open transaction and returns its epoch.
func (o *Overlay) hold(task int32) uint32 {
	if t := o.last; t != nil && t.task == task && t.open == o.open {
		return t.epoch
	}
	t := o.tasks[task]
	if t == nil {
		t = &heldTask{task: task}
		o.tasks[task] = t
	}
	if t.open != o.open && !o.s.holders.take(task, o) {
		o.lose(task)
		t.keys = nil
	}
	t.open, o.last = o.open, t
	return t.epoch
}
