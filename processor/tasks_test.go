package processor

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"traitstream/kafka"
)

// The restore of a task that went away while it ran ends with an error, which is
// nobody's: the task that came after it, or none, counts.
func TestRestoreOfADroppedTaskIsForgotten(t *testing.T) {
	o := &Options{Topics: &kafka.Topics{Tasks: 1}}
	ts := newTasks(o, newOwners(nil), newRestorer(o))
	defer ts.close()
	dropped := &task{number: 0, cancel: func() {}, done: make(chan struct{})}
	ts.restored <- restored{dropped, context.Canceled}
	if err := ts.resume(nil); err != nil {
		t.Fatalf("the end of a dropped task's restore is an error: %v", err)
	}
}

// Whoever drops a task and waits for its restore to end keeps nobody waiting who
// asks for tasks: a restore may itself wait for a broker that is away.
func TestDropWaitsAlone(t *testing.T) {
	o := &Options{Topics: &kafka.Topics{Tasks: 1, Inbox: kafka.Topic{Name: "inbox"}}, Metrics: NewMetrics(prometheus.NewRegistry())}
	ts := newTasks(o, newOwners(nil), newRestorer(o))
	defer ts.close()
	here, ctx := newTask(0)
	ts.owned[0] = here
	dropped := make(chan struct{})
	go func() {
		ts.revoked(t.Context(), nil, map[string][]int32{"inbox": {0}})
		close(dropped)
	}()
	<-ctx.Done()
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
