package processor

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/fleet"
	"traitstream/kafka"
)

// The restore of a task that went away while it ran ends with an error, which is
// nobody's: the task that came after it, or none, counts.
func TestRestoreOfADroppedTaskIsForgotten(t *testing.T) {
	o := &Options{Fleet: fleet.Fleet{Topics: &kafka.Topics{Tasks: 1}}}
	ts := newTasks(o, newOwners(nil), newRestorer(o))
	defer ts.close()
	dropped := &task{number: 0, cancel: func() {}, done: make(chan struct{})}
	ts.restored <- restored{dropped, context.Canceled}
	if err := ts.resume(nil); err != nil {
		t.Fatalf("the end of a dropped task's restore is an error: %v", err)
	}
}

// dropping drops a task of which the restore runs until done is closed. The
// returned channel is closed when it is dropped.
func dropping(ts *tasks) (here *task, dropped chan struct{}) {
	here, ctx := newTask(0)
	ts.owned[0], dropped = here, make(chan struct{})
	ts.owners.take(here)
	go func() {
		ts.revoked(context.Background(), nil, map[string][]int32{"inbox": {0}})
		close(dropped)
	}()
	<-ctx.Done()
	return here, dropped
}

func someTasks() *tasks {
	o := &Options{Fleet: fleet.Fleet{Topics: &kafka.Topics{Tasks: 1, Inbox: kafka.Topic{Name: "inbox"}}}, Metrics: NewMetrics(prometheus.NewRegistry())}
	return newTasks(o, newOwners(nil), newRestorer(o))
}

// A task is dropped when its restore has ended, which then belongs to nobody.
func TestDropWaitsForTheRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := someTasks()
		defer ts.close()
		here, dropped := dropping(ts)
		synctest.Wait()
		select {
		case <-dropped:
			t.Error("dropped while its restore may still write")
		default:
		}
		close(here.done)
		<-dropped
		free := false
		if err := ts.owners.ifFree(0, func() error { free = true; return nil }); err != nil || !free {
			t.Errorf("the task still belongs to somebody: %v", err)
		}
	})
}

// Whoever drops a task and waits for its restore to end keeps nobody waiting who
// asks for tasks: a restore may itself wait for a broker that is away.
func TestDropWaitsAlone(t *testing.T) {
	ts := someTasks()
	defer ts.close()
	here, dropped := dropping(ts)
	asked := make(chan *task, 1)
	go func() { asked <- ts.owns(0) }()
	select {
	case task := <-asked:
		if task != nil {
			t.Error("the task is still here")
		}
	case <-time.After(10 * time.Second):
		t.Error("who asks for the task waits for its restore")
	}
	close(here.done)
	<-dropped
}

// When a worker's seat is gone, so are its tasks, and nobody has them.
func TestTasksGoWithTheSeat(t *testing.T) {
	inBubble(t, oneWorker, nil, func(b *bubble) {
		p := b.start(b.t.TempDir(), nil)
		until(b.t, "it is at work", p.Ready)
		if got := p.numbers(); len(got) != 3 {
			b.t.Errorf("it has the tasks %v", got)
		}
		if err := b.end(p); err != nil {
			b.t.Error(err)
		}
		free := 0
		for number := range b.topics.Tasks {
			if err := p.owners.ifFree(number, func() error { free++; return nil }); err != nil {
				b.t.Error(err)
			}
		}
		if got := p.numbers(); len(got) > 0 || free != 3 {
			b.t.Errorf("it has the tasks %v, and %d belong to nobody", got, free)
		}
	})
}

// A worker that takes its seat anew is not ready before the group has given it
// tasks once more.
func TestNotReadyWithoutASeat(t *testing.T) {
	inBubble(t, oneWorker, nil, func(b *bubble) {
		var lost atomic.Bool
		p := b.start(b.t.TempDir(), func(p *process) {
			p.o.at = func(_ int, at boundary) error {
				if at != polled || !lost.CompareAndSwap(false, true) {
					return nil
				}
				return errRelearned
			}
		})
		until(b.t, "it is at work", p.Ready)
		joins := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.CoordinatorLoadInProgress, Count: -1})
		newInput(b, 1).put(10)
		b.pass(3 * time.Second)
		if p.Ready() || !lost.Load() || joins.Hits() == 0 {
			b.t.Errorf("it is ready: %v, after %d joins", p.Ready(), joins.Hits())
		}
		joins.Remove()
		b.settle()
		b.check(p.dir)
	})
}
