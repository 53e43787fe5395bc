package state

import (
	"hash/maphash"
	"testing"
)

// lacks tells whether the store surely does not have a key.
func (k *taskKeys) lacks(key []byte) bool {
	hash := maphash.Bytes(k.all.seed, key)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known && !k.filter.has(hash)
}

// lacks tells which of some users' keys a fresh look would take for absent.
func lacks(t *testing.T, s *Store, task int32, users ...string) (out string) {
	t.Helper()
	k, err := s.keysOf(task)
	must(t, err)
	for _, user := range users {
		if k.lacks(appendRecordKey(nil, task, key(user, "t"))) {
			out += user
		}
	}
	return out
}

func store(t *testing.T, o *Overlay, task int32, user string, next int64) {
	t.Helper()
	slot := o.Want(task, key(user, "t"))
	must(t, o.Load())
	*o.Record(slot) = record("on", 1)
	o.Touch(slot)
	must(t, o.Apply(map[int32]Checkpoint{task: at(next)}))
}

// Whoever writes to a task that began empty, only what was never written is absent.
func TestAbsentKeysAreKnown(t *testing.T) {
	s := open(t, inMemory())
	o, other := s.NewOverlay(), s.NewOverlay()
	check := func(want string) {
		t.Helper()
		if got := lacks(t, s, 1, "a", "b", "c", "d", "e"); got != want {
			t.Errorf("absent: %q, want %q", got, want)
		}
	}
	check("abcde")
	store(t, o, 1, "a", 1)
	check("bcde")
	store(t, other, 1, "b", 2)
	check("cde")
	l := s.NewLoader(1, 1<<20)
	defer l.Close()
	l.Put(stateKey("c", "t"), encoded(record("on", 1)))
	must(t, l.Flush(at(3)))
	check("de")
	b := s.NewBatch()
	b.Put(1, stateKey("d", "t"), encoded(record("on", 1)))
	b.SetCheckpoint(1, at(4))
	must(t, b.Commit())
	check("e")
	must(t, s.DropTask(1))
	check("abcde")
}

// What is absent is not looked up.
func TestAbsentKeysAreNotRead(t *testing.T) {
	s := open(t, inMemory())
	o := s.NewOverlay()
	store(t, o, 1, "a", 1)
	o = s.NewOverlay()
	o.Want(1, key("a", "t"))
	o.Want(1, key("b", "t"))
	must(t, o.skipAbsent())
	if len(o.missing) != 1 || string(o.key(o.missing[0])) != string(appendRecordKey(nil, 1, key("a", "t"))) {
		t.Errorf("%d keys are to be read", len(o.missing))
	}
}

// Of a task that had records when it was first looked at, or that was loaded by
// tables, any key may be there.
func TestAbsentKeysAreNotKnown(t *testing.T) {
	o := options(t)
	s := open(t, o)
	store(t, s.NewOverlay(), 1, "a", 1)
	must(t, s.Close())
	s = open(t, o)
	if got := lacks(t, s, 1, "a", "b"); got != "" {
		t.Errorf("%q are taken for absent after a restart", got)
	}

	if got := lacks(t, s, 2, "a"); got != "a" {
		t.Errorf("%q is absent in an empty task", got)
	}
	l := s.NewLoader(2, 1<<20)
	defer l.Close()
	l.ingestFrom = 0
	l.Put(stateKey("a", "t"), encoded(record("on", 1)))
	must(t, l.Flush(at(1)))
	if got := lacks(t, s, 2, "a", "b"); got != "" {
		t.Errorf("%q are taken for absent after a table was loaded", got)
	}

	b := s.NewBatch() // by someone who has not looked
	b.Put(3, stateKey("a", "t"), encoded(record("on", 1)))
	if got := lacks(t, s, 3, "a"); got != "" {
		t.Errorf("%q is taken for absent while it is written", got)
	}
}

// Filters stay within their memory; a task for which there is none is looked up.
func TestAbsencesAreBounded(t *testing.T) {
	s := open(t, inMemory())
	a := &s.absences
	large, err := s.keysOf(1)
	must(t, err)
	small, err := s.keysOf(2)
	must(t, err)
	small.enters([]byte("a"))
	for i := 0; large.known; i++ {
		large.enters([]byte(userName(i)))
		if a.used.Load() > a.limit {
			t.Fatalf("%d bytes are in use, of %d", a.used.Load(), a.limit)
		}
	}
	if large.lacks([]byte("x")) || !small.lacks([]byte("x")) || small.lacks([]byte("a")) {
		t.Error("the small task is to be known, the large one not")
	}
	if a.used.Load() != leastLayer {
		t.Errorf("%d bytes are in use", a.used.Load())
	}
	a.dropped(2)
	if a.used.Load() != 0 {
		t.Errorf("%d bytes stay in use", a.used.Load())
	}
}
