package state

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"traitstream/schemas"
	"traitstream/trait"
)

// crashTasks are the tasks of a crashing run. Each commit writes for one of
// them, and is numbered by its checkpoint.
const crashTasks = 3

// commitNumbered writes the n-th commit of a task: some records that tell n,
// among them always the one of "all".
func commitNumbered(t *rapid.T, o *Overlay, task int32, n int64) {
	users := []string{"all"}
	for range rapid.IntRange(0, 30).Draw(t, "users") {
		users = append(users, userName(rapid.IntRange(0, 50).Draw(t, "user")))
	}
	for _, u := range users {
		slot := o.Want(task, key(u, "t"))
		*o.Record(slot) = record(fmt.Sprint(n), n)
		o.Touch(slot)
	}
	if err := o.Apply(map[int32]Checkpoint{task: at(n)}); err != nil {
		t.Fatal(err)
	}
}

// checkAgrees compares a task's records with its checkpoint: none is of a later
// commit, and the one that every commit writes is of the last.
func checkAgrees(t *rapid.T, s *Store, task int32) (next int64) {
	cp, _, err := s.Checkpoint(task)
	if err != nil {
		t.Fatal(err)
	}
	newest := int64(0)
	for e, err := range s.All(task) {
		var r trait.Record
		if err == nil {
			err = schemas.DecodeRecord(e.Value, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		newest = max(newest, r.Seen.SeenAt)
	}
	all, err := s.Get(task, key("all", "t"))
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case cp.Next != newest:
		t.Fatalf("task %d: the checkpoint is of commit %d, the records are of %d", task, cp.Next, newest)
	case cp.Next > 0 && (all == nil || all.Seen.SeenAt != newest):
		t.Fatalf("task %d: commit %d is there in part", task, newest)
	}
	return cp.Next
}

// S8: whatever a power failure leaves of what was not synced, the records and
// the checkpoints agree, and what is there is a prefix of the commits.
func TestPowerFailureLeavesAPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewCrashableMem()
		seed := rapid.Uint64().Draw(t, "seed")
		next := map[int32]int64{}
		for range rapid.IntRange(1, 3).Draw(t, "crashes") {
			fs = crashOnce(t, fs, seed, next)
			seed++
		}
		s := openOn(t, fs)
		for task := range int32(crashTasks) {
			checkAgrees(t, s, task)
		}
		closeStore(t, s)
	})
}

// crashOnce commits for a while, crashes, and returns what the disk holds then.
// next has the number of each task's last commit; it is set back to what
// survived.
func crashOnce(t *rapid.T, fs *vfs.MemFS, seed uint64, next map[int32]int64) *vfs.MemFS {
	s := openOn(t, fs)
	o := s.NewOverlay()
	var order []int32 // the task of each commit
	before := map[int32]int64{}
	for task := range int32(crashTasks) {
		next[task] = checkAgrees(t, s, task)
		before[task] = next[task]
	}
	for range rapid.IntRange(0, 60).Draw(t, "commits") {
		task := rapid.Int32Range(0, crashTasks-1).Draw(t, "task")
		next[task]++
		commitNumbered(t, o, task, next[task])
		order = append(order, task)
		if rapid.IntRange(0, 15).Draw(t, "flush") == 0 {
			if err := s.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	crashed := fs.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: rapid.SampledFrom([]int{0, 50, 90, 100}).Draw(t, "kept"), RNG: random(seed),
	})
	closeStore(t, s)

	s = openOn(t, crashed)
	defer closeStore(t, s)
	for task := range int32(crashTasks) {
		next[task] = checkAgrees(t, s, task)
	}
	checkPrefix(t, order, before, next)
	return crashed
}

// checkPrefix tells whether the tasks' checkpoints are those after some first
// part of the commits.
func checkPrefix(t *rapid.T, order []int32, before, after map[int32]int64) {
	left := int64(0)
	for task := range after {
		left += after[task] - before[task]
	}
	if left < 0 || left > int64(len(order)) {
		t.Fatalf("%d of %d commits are left", left, len(order))
	}
	want := map[int32]int64{}
	for _, task := range order[:left] {
		want[task]++
	}
	for task := range after {
		if got := after[task] - before[task]; got != want[task] {
			t.Fatalf("task %d: %d commits are left, want %d of the first %d", task, got, want[task], left)
		}
	}
}

// What Close returned for is on the disk.
func TestCloseSyncs(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s, err := Open(onFS(fs))
	must(t, err)
	b := s.NewBatch()
	b.Put(0, stateKey("ann", "t"), encoded(record("on", 1)))
	b.SetCheckpoint(0, at(1))
	must(t, b.Commit())
	must(t, s.Close())
	s = open(t, onFS(fs.CrashClone(vfs.CrashCloneCfg{})))
	if got := texts(t, s, 0); len(got) != 1 {
		t.Errorf("left after a power failure: %q", got)
	}
}

func openOn(t *rapid.T, fs vfs.FS) *Store {
	s, err := Open(onFS(fs))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t *rapid.T, s *Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
