package processor

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// storeAfter is how long what was committed may wait for the store. It is what a
// restart after a crash reads from the changelog.
const storeAfter = 3 * time.Second

// waits notes that tasks have something waiting for the store.
func (w *worker) waits(tasks []*task) {
	if len(w.unstored) == 0 {
		w.storeBy = time.Now().Add(storeAfter)
	}
	for _, t := range tasks {
		w.unstored[t.number] = t
	}
}

// storeIfDue writes what waits for the store when it is much or has waited for
// long.
func (w *worker) storeIfDue() error {
	if len(w.unstored) == 0 || !w.state.Full() && time.Now().Before(w.storeBy) {
		return nil
	}
	return w.store()
}

// store writes what waits for the store, but for tasks that have gone: who gets
// one of those reads it from the changelog.
func (w *worker) store() error {
	return w.owners.whileOwned(slices.Collect(maps.Values(w.unstored)), func(gone []*task) error {
		for _, t := range gone {
			w.state.Forget(t.number)
		}
		clear(w.unstored)
		if err := w.state.Store(); err != nil {
			return fmt.Errorf("writing state to %s (is the disk full?): %w", w.o.Config.State.Dir, err)
		}
		return nil
	})
}
