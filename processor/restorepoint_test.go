package processor

import (
	"errors"
	"testing"
	"time"

	"traitstream/state"
)

// From where a changelog of the offsets 10 to 20 is read, and whether the state
// that is here is kept.
func TestRestorePoint(t *testing.T) {
	const start, end = 10, 20
	for name, c := range map[string]struct {
		next int64         // of the checkpoint; 0: there is none
		away time.Duration // since its commit
		from int64
		kept bool
	}{
		"nothing is here":            {0, 0, start, false},
		"a moment ago":               {15, time.Second, 15, true},
		"at the start":               {start, time.Second, start, true},
		"at the end":                 {end, time.Second, end, true},
		"before the start":           {9, time.Second, start, false},
		"removals are gone":          {15, 2 * time.Hour, start, false},
		"nothing has been since":     {end, 2 * time.Hour, end, true},
		"removals are there for now": {15, 50 * time.Minute, 15, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "", 1)
			w.topics.Changelog.Config["delete.retention.ms"] = "3600000"
			m := w.member("")
			defer m.close()
			l := m.store.NewLoader(0, restoreBytes)
			defer l.Close()
			if c.next > 0 {
				r := w.logged("u")
				l.Put(r.Key, r.Value)
				if err := l.Flush(state.Checkpoint{Next: c.next, Committed: time.Now().Add(-c.away)}); err != nil {
					t.Fatal(err)
				}
			}
			from, err := m.o.restorePoint(0, start, end)
			if err != nil {
				t.Fatal(err)
			}
			if from.Next != c.from || m.has("u") != c.kept {
				t.Errorf("from %d, and the state is kept: %v", from.Next, m.has("u"))
			}
		})
	}
}

// A changelog that ends before the checkpoint is another one. Nothing of the
// state is touched, and the error says what to do.
func TestStateAheadOfTheChangelog(t *testing.T) {
	w := newWorld(t, "", 1)
	m := w.member("")
	defer m.close()
	l := m.store.NewLoader(0, restoreBytes)
	defer l.Close()
	r := w.logged("u")
	l.Put(r.Key, r.Value)
	if err := l.Flush(state.Checkpoint{Next: 21, Committed: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.put(r)
	err := m.Run(t.Context())
	if !errors.Is(err, errAnotherChangelog) || !m.has("u") {
		t.Errorf("it ends with %v, and the state is kept: %v", err, m.has("u"))
	}
}

// Removals in the changelog are removals in the state.
func TestRestoreRemoves(t *testing.T) {
	w := newWorld(t, "", 1)
	m := w.member("")
	defer m.close()
	gone := w.logged("u")
	gone.Value = nil
	w.put(w.logged("u"), w.logged("v"))
	for range 2 { // the second time from the checkpoint
		if err := m.restorer.restore(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		w.put(gone)
	}
	if m.has("u") || !m.has("v") {
		t.Error("the state is not what the changelog says")
	}
}

// What is written of a restore that goes on says how far it is, and no further:
// after a crash the next one goes on from there.
func TestRestoreInChunks(t *testing.T) {
	w := newWorld(t, "", 1)
	m := w.member("")
	defer m.close()
	r := &restoring{restorer: m.restorer, end: 20, loader: m.store.NewLoader(0, 1)}
	defer r.loader.Close()
	rec := w.logged("u")
	rec.Offset = 5
	if err := r.add(rec); err != nil {
		t.Fatal(err)
	}
	if cp, ok, err := m.store.Checkpoint(0); err != nil || !ok || cp.Next != 6 || !m.has("u") {
		t.Errorf("the checkpoint is %+v, %v, %v", cp, ok, err)
	}
}
