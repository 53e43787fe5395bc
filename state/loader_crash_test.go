package state

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// loadSteps bring a task from one state to the next; each has a checkpoint that
// is its number.
var loadSteps = []struct {
	name    string
	durable bool // it is on the disk on return
	do      func(s *Store, n int64) error
}{
	{"log", false, func(s *Store, n int64) error { return loadStep(s, n, 1<<20) }},
	{"table after log", true, func(s *Store, n int64) error { return loadStep(s, n, 0) }},
	{"table after table", true, func(s *Store, n int64) error { return loadStep(s, n, 0) }},
	{"log after table", false, func(s *Store, n int64) error { return loadStep(s, n, 1<<20) }},
	{"flush", true, func(s *Store, _ int64) error { return s.db.Flush() }},
	{"table after flush", true, func(s *Store, n int64) error { return loadStep(s, n, 0) }},
	{"drop", true, func(s *Store, _ int64) error { return s.DropTask(1) }},
	{"table after drop", true, func(s *Store, n int64) error { return loadStep(s, n, 0) }},
	{"drop again", true, func(s *Store, _ int64) error { return s.DropTask(1) }},
	{"log after drop", false, func(s *Store, n int64) error { return loadStep(s, n, 1<<20) }},
}

// loadStep loads a chunk that changes half of what is there, adds one record
// and deletes another.
func loadStep(s *Store, n int64, ingestFrom int) error {
	l := s.NewLoader(1, 1<<20)
	l.ingestFrom = ingestFrom
	for i := n % 2; i < 20; i += 2 {
		l.Put(stateKey(userName(int(i)), "t"), encoded(record(fmt.Sprint(n), n)))
	}
	l.Put(stateKey(fmt.Sprint("only ", n), "t"), encoded(record(fmt.Sprint(n), n)))
	l.Delete(stateKey(fmt.Sprint("only ", n-1), "t"))
	return l.Flush(at(n))
}

// snapshot is what a task holds: its texts and its checkpoint's offset.
type snapshot struct {
	texts map[string]string
	next  int64
}

func snapshotOf(t *testing.T, s *Store) snapshot {
	cp, _, err := s.Checkpoint(1)
	must(t, err)
	return snapshot{texts(t, s, 1), cp.Next}
}

func (a snapshot) equal(b snapshot) bool { return a.next == b.next && maps.Equal(a.texts, b.texts) }

// crashes is a disk that keeps what a crash would leave before each write.
type crashes struct {
	mem *vfs.MemFS
	mu  sync.Mutex
	all []crash

	durable, begun atomic.Int64 // steps
}

type crash struct {
	disk           *vfs.MemFS
	durable, begun int64
	before         string
}

// MaybeError looks at what is durable before it takes what is there, and at
// what has begun after it: the steps go on beside.
func (c *crashes) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || c.begun.Load() == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kept := range []int{0, 60, 100} {
		durable := c.durable.Load()
		disk := c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: random(uint64(len(c.all)))})
		c.all = append(c.all, crash{disk, durable, c.begun.Load(), fmt.Sprintf("%v, %d %% kept", op, kept)})
	}
	return nil
}

func (c *crashes) String() string { return "crashes" }

// S8: kill -9 or a power failure before any write of a restore leaves what one
// of its flushes left, with that one's checkpoint; what was ingested is there.
func TestCrashInARestore(t *testing.T) {
	c := &crashes{mem: vfs.NewCrashableMem()}
	s, err := Open(onFS(errorfs.Wrap(c.mem, c)))
	must(t, err)
	states := []snapshot{snapshotOf(t, s)}
	for i, step := range loadSteps {
		c.begun.Store(int64(i + 1))
		must(t, step.do(s, int64(i+1)))
		states = append(states, snapshotOf(t, s))
		if step.durable {
			c.durable.Store(int64(i + 1))
		}
	}
	must(t, s.Close())
	for _, crash := range c.all {
		s, err := Open(onFS(crash.disk))
		if err != nil {
			t.Fatalf("in step %q, before %s: %v", loadSteps[crash.begun-1].name, crash.before, err)
		}
		got, found := snapshotOf(t, s), false
		for _, want := range states[crash.durable : crash.begun+1] {
			found = found || got.equal(want)
		}
		if !found {
			t.Errorf("in step %q, before %s: at %d there are %q", loadSteps[crash.begun-1].name, crash.before, got.next, got.texts)
		}
		must(t, s.Close())
	}
	if len(c.all) < 100 {
		t.Errorf("only %d crashes", len(c.all))
	}
}

// A disk that fails at any write of a flush is an error that tells what to do,
// and a restart finds the chunk whole or not at all.
func TestDiskBreaksInARestore(t *testing.T) {
	for _, cause := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		for n := range 1000 {
			if breakRestore(t, cause, n) {
				if n < 10 {
					t.Errorf("a flush makes only %d writes", n)
				}
				break
			}
		}
	}
}

// breakRestore breaks the disk after some writes of a flush. It returns true
// when the flush made fewer.
func breakRestore(t *testing.T, cause error, writes int) bool {
	mem := vfs.NewCrashableMem()
	var left atomic.Int64
	left.Store(1 << 40)
	s, err := Open(onFS(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && left.Add(-1) < 0 {
			return cause
		}
		return nil
	}))))
	must(t, err)
	must(t, loadStep(s, 1, 0))
	before, after := snapshotOf(t, s), loadedTwice(t)
	left.Store(int64(writes))
	err = loadStep(s, 2, 0)
	whole := left.Load() >= 0
	left.Store(1 << 40)
	if text := fmt.Sprint(err); err != nil && (!errors.Is(err, cause) || !strings.HasPrefix(text, "loading state of task 1: folder /state: ")) {
		t.Errorf("%v after %d writes: got %q", cause, writes, text)
	}
	_ = s.Close() // the first error tells

	s = open(t, onFS(mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: random(1)})))
	if got := snapshotOf(t, s); !got.equal(after) && (err == nil || !got.equal(before)) {
		t.Errorf("%v after %d writes: Flush returned %v, and at %d there are %q", cause, writes, err, got.next, got.texts)
	}
	return whole
}

// loadedTwice is what a task holds after two steps.
func loadedTwice(t *testing.T) snapshot {
	s := open(t, inMemory())
	must(t, loadStep(s, 1, 0))
	must(t, loadStep(s, 2, 0))
	return snapshotOf(t, s)
}
