package processor

import (
	"context"
	"errors"
	"testing"
)

func newTask(number int32) (*task, context.Context) {
	ctx, cancel := context.WithCancel(context.Background())
	return &task{number: number, cancel: cancel, done: make(chan struct{})}, ctx
}

// Who takes a task ends the restore of whoever had it, waits for it, and from
// then on nothing that the one before writes gets through.
func TestOwnersTake(t *testing.T) {
	o := newOwners(nil)
	old, oldCtx := newTask(3)
	o.take(old)
	taken := make(chan struct{})
	late, _ := newTask(3)
	go func() {
		o.take(late)
		close(taken)
	}()
	<-oldCtx.Done()
	select {
	case <-taken:
		t.Fatal("taken while the restore before may still write")
	default:
	}
	close(old.done)
	<-taken
	if err := o.write([]*task{old}, func() error { t.Error("the old owner writes"); return nil }); !errors.Is(err, errNotOwner) {
		t.Errorf("the old owner's write ends with %v", err)
	}
	wrote := false
	if err := o.write([]*task{late}, func() error { wrote = true; return nil }); err != nil || !wrote {
		t.Errorf("the owner's write ends with %v", err)
	}
	o.release(old) // changes nothing
	if err := o.ifFree(3, func() error { t.Error("the task counts as free"); return nil }); err != nil {
		t.Error(err)
	}
	o.release(late)
	free := false
	if err := o.ifFree(3, func() error { free = true; return nil }); err != nil || !free {
		t.Errorf("the task is not free: %v", err)
	}
}

// A batch of several tasks is written whole or not at all.
func TestOwnersWriteWhole(t *testing.T) {
	o := newOwners(nil)
	a, _ := newTask(1)
	b, _ := newTask(2)
	o.take(a)
	o.take(b)
	other, _ := newTask(2)
	close(b.done)
	o.take(other)
	if err := o.write([]*task{b, a}, func() error { t.Error("written"); return nil }); !errors.Is(err, errNotOwner) {
		t.Errorf("the write ends with %v", err)
	}
}

// A task cannot change hands while it is written.
func TestOwnersWriteIsNotInterrupted(t *testing.T) {
	o := newOwners(nil)
	a, _ := newTask(1)
	close(a.done)
	o.take(a)
	b, _ := newTask(1)
	taken := make(chan struct{})
	err := o.write([]*task{a}, func() error {
		go func() {
			o.take(b)
			close(taken)
		}()
		select {
		case <-taken:
			t.Error("taken in the middle of a write")
		default:
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	<-taken
}
