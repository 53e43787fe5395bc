package state

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestStoreKeepsWhatWasCommitted(t *testing.T) {
	o := options(t)
	s, err := Open(o)
	must(t, err)
	b := s.NewBatch()
	b.Put(3, stateKey("ann", "a"), encoded(record("on", 100)))
	b.Put(3, stateKey("bob", "a"), encoded(record("off", 200)))
	b.Delete(3, stateKey("bob", "a"))
	cp := Checkpoint{Next: 5, Clock: 9, Committed: time.UnixMilli(1_772_446_800_123).UTC()}
	b.SetCheckpoint(3, cp)
	must(t, b.Commit())
	must(t, s.SetMeta("definitions", []byte{1, 2}))
	must(t, s.Close())
	must(t, s.Close())

	s = open(t, o)
	r, err := s.Get(3, key("ann", "a"))
	must(t, err)
	if want := record("on", 100); r == nil || !bytes.Equal(encoded(*r), encoded(want)) {
		t.Errorf("got %+v, want %+v", r, want)
	}
	if r, err := s.Get(3, key("bob", "a")); r != nil || err != nil {
		t.Errorf("deleted: got %v, %v", r, err)
	}
	if got, ok, err := s.Checkpoint(3); got != cp || !ok || err != nil {
		t.Errorf("checkpoint: got %v, %v, %v", got, ok, err)
	}
	if _, ok, err := s.Checkpoint(4); ok || err != nil {
		t.Errorf("checkpoint of another task: %v, %v", ok, err)
	}
	if v, err := s.Meta("definitions"); !bytes.Equal(v, []byte{1, 2}) || err != nil {
		t.Errorf("meta: %v, %v", v, err)
	}
	if v, err := s.Meta("other"); v != nil || err != nil {
		t.Errorf("other meta: %v, %v", v, err)
	}
}

func TestClosedStoreRefuses(t *testing.T) {
	s, err := Open(inMemory())
	must(t, err)
	b, o := s.NewBatch(), s.NewOverlay()
	must(t, s.Close())
	b.Put(0, stateKey("ann", "a"), encoded(record("on", 1)))
	o.Want(0, key("ann", "a"))
	_, getErr := s.Get(0, key("ann", "a"))
	for name, err := range map[string]error{"Commit": b.Commit(), "Load": o.Load(), "Get": getErr} {
		if err == nil {
			t.Errorf("%s on a closed store succeeded", name)
		}
	}
}

func TestCloseEndsItsGoroutines(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := Open(options(t))
	must(t, err)
	must(t, s.SetMeta("a", []byte("b")))
	must(t, s.Close())
	goleak.VerifyNone(t, before)
}

func TestAllYieldsInKeyOrderAndStops(t *testing.T) {
	s := open(t, inMemory())
	b := s.NewBatch()
	for _, user := range []string{"c", "a", "b"} {
		b.Put(1, stateKey(user, "t"), encoded(record("on", 1)))
	}
	must(t, b.Commit())
	var got [][]byte
	for e, err := range s.All(1) {
		must(t, err)
		got = append(got, bytes.Clone(e.Key))
		if len(got) == 2 {
			break
		}
	}
	if want := [][]byte{stateKey("a", "t"), stateKey("b", "t")}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A task's neighbours are those with the numbers beside it, and keys that begin
// or end with the bytes around it.
func TestDropTaskLeavesNeighboursAlone(t *testing.T) {
	tasks := []int32{0, 1, 2, 254, 255, 256, 257, 65535, 65536, 1<<31 - 1}
	users := []string{"\x00", "\x00\x00", "a", "\xff", "\xff\xff\xff\xff\xff"}
	for _, dropped := range tasks {
		s := open(t, inMemory())
		b := s.NewBatch()
		for _, task := range tasks {
			for _, u := range users {
				b.Put(task, stateKey(u, "t"), encoded(record("on", 1)))
			}
			b.SetCheckpoint(task, at(int64(task)))
		}
		must(t, b.Commit())
		must(t, s.SetMeta("m", []byte("v")))
		must(t, s.DropTask(dropped))
		for _, task := range tasks {
			want := len(users)
			if task == dropped {
				want = 0
			}
			if got := len(texts(t, s, task)); got != want {
				t.Errorf("dropping %d: task %d has %d records, want %d", dropped, task, got, want)
			}
			if _, ok, err := s.Checkpoint(task); ok != (task != dropped) || err != nil {
				t.Errorf("dropping %d: checkpoint of task %d: %v, %v", dropped, task, ok, err)
			}
		}
		if v, err := s.Meta("m"); string(v) != "v" || err != nil {
			t.Errorf("dropping %d: meta %q, %v", dropped, v, err)
		}
	}
}

func TestSizesOnDisk(t *testing.T) {
	s := open(t, options(t))
	if s.DiskBytes() == 0 {
		t.Error("the store takes no space")
	}
	if free, err := s.FreeBytes(); free == 0 || err != nil {
		t.Errorf("free: %d, %v", free, err)
	}
	if _, err := open(t, inMemory()).FreeBytes(); err == nil {
		t.Error("a store in memory has a volume")
	}
}
