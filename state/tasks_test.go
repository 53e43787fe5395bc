package state

import (
	"slices"
	"testing"
)

func TestTasksAreThoseWithSomething(t *testing.T) {
	s := open(t, inMemory())
	want := func(want ...int32) {
		t.Helper()
		if got, err := s.Tasks(); !slices.Equal(got, want) || err != nil {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	want()
	must(t, s.SetMeta("m", []byte("v")))
	want()
	b := s.NewBatch()
	for _, task := range []int32{0, 255, 256, 1<<31 - 1} {
		for _, user := range []string{"", "ann", "\xff\xff\xff\xff\xff"} {
			b.Put(task, stateKey(user, "t"), encoded(record("on", 1)))
		}
	}
	b.SetCheckpoint(3, at(1))
	b.SetCheckpoint(255, at(1))
	must(t, b.Commit())
	want(0, 3, 255, 256, 1<<31-1)
	must(t, s.db.Flush())
	must(t, s.DropTask(255))
	must(t, s.DropTask(3))
	want(0, 256, 1<<31-1)
	must(t, s.Close())
	if got, err := s.Tasks(); err == nil {
		t.Errorf("a closed store has tasks %v", got)
	}
}
