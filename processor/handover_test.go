package processor

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A bubble's configuration with one worker a process, and with two.
var (
	oneWorker  = strings.Replace(bubbleYAML, "{session_timeout", "{workers: 1, session_timeout", 1)
	twoWorkers = strings.Replace(bubbleYAML, "{session_timeout", "{workers: 2, session_timeout", 1)
)

// here returns a worker's tasks, by number.
func (w *worker) here() []int32 {
	var numbers []int32
	w.tasks.each(func(number int32, _ bool) { numbers = append(numbers, number) })
	slices.Sort(numbers)
	return numbers
}

// hasChanges tells whether the batch changes state.
func (w *worker) hasChanges() bool {
	for range w.state.Dirty() {
		return true
	}
	return false
}

// No task goes from the poll of a batch until the store has it: a rebalance
// waits for a worker that stands still anywhere between the two.
func TestRebalanceWaitsForTheBatch(t *testing.T) {
	t.Parallel()
	for at := range boundaries {
		t.Run(boundaryNames[at], func(t *testing.T) {
			t.Parallel()
			inBubble(t, oneWorker, map[string]int32{"b": 5}, func(b *bubble) {
				meet(b, at, incident{
					at: func(b *bubble, p *process) error {
						before := p.workers[0].here()
						b.pass(4 * time.Second)
						if info := b.cluster.GroupInfo(b.cfg.Group()); len(info.Members) != 2 {
							b.t.Errorf("the other process has not come: %s", b.group())
						}
						if now := p.workers[0].here(); len(before) != 3 || !slices.Equal(now, before) {
							b.t.Errorf("it has the tasks %v, of the tasks %v that it had when it polled", now, before)
						}
						return nil
					},
					after: func(b *bubble, _ *process) { b.start(b.t.TempDir(), nil) },
				}, 2)
			})
		})
	}
}

// A worker whose tasks another worker of the process was given, while it stood
// still between commit and apply, does not write to their state any more.
func TestLateApply(t *testing.T) {
	inBubble(t, twoWorkers, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 7)
		var late atomic.Bool
		p := b.start(b.t.TempDir(), func(p *process) {
			p.o.at = func(worker int, at boundary) error {
				if worker != 0 || at != ended || !p.workers[0].hasChanges() || !late.CompareAndSwap(false, true) {
					return nil
				}
				if err := p.leave(b.t.Context(), []string{p.workers[0].seatName}); err != nil {
					b.t.Error(err)
				}
				b.pass(5 * time.Second)
				if other := p.workers[1]; len(other.here()) != 3 || !other.tasks.ready() {
					b.t.Errorf("the other worker has the tasks %v", other.here())
				}
				return nil
			}
		})
		for range 10 {
			in.put(20)
			b.pass(time.Second)
		}
		b.settle()
		if !late.Load() {
			b.t.Error("no apply came late")
		}
		b.check(p.dir)
	})
}

// A task that is assigned once more, without a word that it was gone, is not the
// one that was here: its state is restored again before it is read, and what
// was begun before does not reach the store.
func TestTaskIsAssignedAgain(t *testing.T) {
	w := newWorld(t, "", 1)
	m := w.member("")
	defer m.close()
	ts := m.workers[0].tasks
	defer ts.close()
	assign := func() *task {
		ts.assigned(t.Context(), w.client, map[string][]int32{w.topics.Inbox.Name: {0}})
		if ts.owns(0) != nil || len(w.client.PauseFetchPartitions(nil)[w.topics.Inbox.Name]) != 1 {
			t.Fatal("the task runs before its state is restored")
		}
		r := <-ts.restored
		if err := ts.resumeTask(&seat{consumer: w.client}, r); err != nil {
			t.Fatal(err)
		}
		return ts.owns(0)
	}
	first, second := assign(), assign()
	if err := m.owners.write([]*task{second}, func() error { return nil }); err != nil {
		t.Error(err)
	}
	if err := m.owners.write([]*task{first}, func() error { return nil }); !errors.Is(err, errNotOwner) {
		t.Errorf("the write of the task that was here before ends with %v", err)
	}
}
