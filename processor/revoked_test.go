package processor

import (
	"testing"
	"testing/synctest"
	"time"

	"traitstream/state"
)

// The state of a task that went elsewhere stays for state.keep_revoked, over
// restarts too, and is then removed; that of a task that came back stays.
func TestRevokedStateIsKeptForAWhile(t *testing.T) {
	w := newWorld(t, "state: {keep_revoked: 1h}", 2)
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		kept := func(m *member) bool {
			_, ok, err := m.store.Checkpoint(1)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		sweep := func(m *member) {
			if err := m.sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		m := w.member(dir)
		b := m.store.NewBatch()
		b.SetCheckpoint(1, state.Checkpoint{Next: 5, Committed: time.Now()})
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
		here, _ := newTask(1)
		m.owners.take(here)
		m.workers[0].tasks.owned[1] = here
		sweep(m)
		time.Sleep(2 * time.Hour) //nolint:forbidigo // of the bubble's clock
		sweep(m)
		if !kept(m) {
			t.Fatal("the state of a task that is here was removed")
		}
		m.owners.release(here)
		delete(m.workers[0].tasks.owned, 1)
		sweep(m)
		time.Sleep(40 * time.Minute) //nolint:forbidigo // of the bubble's clock
		for _, w := range m.workers {
			w.tasks.close()
		}
		m.close()
		m = w.member(dir)
		defer m.close()
		sweep(m)
		if !kept(m) {
			t.Fatal("the state was removed too early")
		}
		time.Sleep(21 * time.Minute) //nolint:forbidigo // of the bubble's clock
		sweep(m)
		if kept(m) {
			t.Error("the state is still there after an hour in two runs")
		}
	})
}
