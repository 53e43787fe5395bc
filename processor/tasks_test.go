package processor

import (
	"context"
	"testing"

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
