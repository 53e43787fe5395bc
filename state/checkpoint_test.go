package state

import (
	"strings"
	"testing"
	"time"
)

func TestCheckpointNeverGoesBack(t *testing.T) {
	s := open(t, inMemory())
	commit := func(cp Checkpoint, text string) error {
		b := s.NewBatch()
		b.Put(1, stateKey("ann", "t"), encoded(record(text, 1)))
		b.SetCheckpoint(1, cp)
		return b.Commit()
	}
	must(t, commit(Checkpoint{Next: 10, Clock: 5}, "a"))
	must(t, commit(Checkpoint{Next: 10, Clock: 5}, "b"))
	for _, back := range []Checkpoint{{Next: 9, Clock: 5}, {Next: 11, Clock: 4}} {
		err := commit(back, "c")
		if err == nil || !strings.Contains(err.Error(), "of task 1 would go back") {
			t.Errorf("%v: got %v", back, err)
		}
	}
	if got := texts(t, s, 1)[string(stateKey("ann", "t"))]; got != "b" {
		t.Errorf("a refused batch was written: %q", got)
	}
	must(t, s.DropTask(1))
	must(t, commit(Checkpoint{Next: 1}, "d"))
}

func TestBatchIsReusedAfterAnError(t *testing.T) {
	s := open(t, inMemory())
	b := s.NewBatch()
	b.SetCheckpoint(1, at(2))
	must(t, b.Commit())
	b.Put(1, stateKey("ann", "t"), encoded(record("refused", 1)))
	b.SetCheckpoint(1, at(1))
	if err := b.Commit(); err == nil {
		t.Fatal("a checkpoint went back")
	}
	b.Put(1, stateKey("bob", "t"), encoded(record("on", 1)))
	if b.Size() == 0 {
		t.Error("the batch has no size")
	}
	must(t, b.Commit())
	got := texts(t, s, 1)
	if len(got) != 1 || got[string(stateKey("bob", "t"))] != "on" {
		t.Errorf("got %q", got)
	}
}

func FuzzDecodeCheckpoint(f *testing.F) {
	f.Add(encodeCheckpoint(Checkpoint{Next: 5, Clock: 6, Committed: time.UnixMilli(7)}))
	f.Add(encodeCheckpoint(Checkpoint{}))
	f.Add([]byte{})
	f.Add([]byte{checkpointVersion})
	f.Add([]byte{checkpointVersion + 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		cp, err := decodeCheckpoint(b)
		if err != nil {
			return
		}
		if got := encodeCheckpoint(cp); string(got) != string(b) {
			t.Errorf("%x was read as %v, which is written as %x", b, cp, got)
		}
	})
}

func TestCheckpointIsKept(t *testing.T) {
	for _, cp := range []Checkpoint{{}, at(1 << 40), {Next: 1, Clock: -1}} {
		got, err := decodeCheckpoint(encodeCheckpoint(cp))
		if got != cp || err != nil {
			t.Errorf("%v was read as %v, %v", cp, got, err)
		}
	}
}
