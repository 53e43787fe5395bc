package state

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A store that a crash has left with much to compact opens without that, since
// the library's open would wait for it; what is written next starts it.
func TestOpenDoesNotWaitForCompactions(t *testing.T) {
	fs := vfs.NewCrashableMem()
	o, err := onFS(fs).withDefaults()
	must(t, err)
	s, err := Open(o)
	must(t, err)
	must(t, s.Close())
	behind := o.pebble(s.fuse, new(atomic.Bool))
	behind.FS, behind.DisableAutomaticCompactions = fs, true
	db, err := pebble.Open(folder{fs, o.Dir}.store(), behind)
	must(t, err)
	for n := range 30 {
		for i := range 100 {
			must(t, db.Set(appendRecordKey(nil, 0, key(userName(i), "t")), fmt.Append(nil, n), pebble.NoSync))
		}
		must(t, db.Flush())
	}
	must(t, db.Set(appendRecordKey(nil, 0, key("in the log", "t")), nil, pebble.Sync))
	left := fs.CrashClone(vfs.CrashCloneCfg{})
	must(t, db.Close())

	s = open(t, onFS(left))
	if m := s.db.Metrics(); m.Compact.Count > 0 || m.Compact.NumInProgress > 0 || m.Levels[0].TablesCount < 30 {
		t.Errorf("opened with %d compactions done, %d under way, %d tables in level 0",
			m.Compact.Count, m.Compact.NumInProgress, m.Levels[0].TablesCount)
	}
	for deadline := time.Now().Add(10 * time.Second); s.db.Metrics().Compact.Count == 0; {
		if time.Now().After(deadline) {
			t.Fatalf("nothing is compacted: %s", s.db.Metrics())
		}
		must(t, s.SetMeta("name", nil))
		must(t, s.db.Flush())
	}
}
