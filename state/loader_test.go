package state

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"traitstream/schemas"
	"traitstream/trait"
)

// loading is what a task should hold after each flush.
type loading struct {
	loader *Loader
	next   int64
	now    map[string]string // texts by state key, with what is not flushed
	at     map[int64]map[string]string
}

func newLoading(s *Store, task int32) *loading {
	return &loading{loader: s.NewLoader(task, 1<<20), now: map[string]string{}, at: map[int64]map[string]string{0: {}}}
}

// chunk adds some changes and flushes them, through the log or as a table.
func (l *loading) chunk(t *rapid.T) error {
	for range rapid.IntRange(0, 20).Draw(t, "changes") {
		key := stateKey(userName(rapid.IntRange(0, 15).Draw(t, "user")), "t")
		if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
			l.loader.Delete(key)
			delete(l.now, string(key))
			continue
		}
		text := rapid.StringMatching(`[a-z]{1,9}`).Draw(t, "text")
		l.loader.Put(key, encoded(record(text, 1)))
		l.now[string(key)] = text
	}
	l.loader.ingestFrom = rapid.SampledFrom([]int{0, 500, 1 << 20}).Draw(t, "ingest from")
	l.next++
	l.at[l.next] = maps.Clone(l.now)
	return l.loader.Flush(at(l.next))
}

// stored returns a task's texts, and its checkpoint's offset.
func stored(t *rapid.T, s *Store, task int32) (map[string]string, int64) {
	cp, _, err := s.Checkpoint(task)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for e, err := range s.All(task) {
		var r trait.Record
		if err == nil {
			err = schemas.DecodeRecord(e.Value, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		got[string(e.Key)] = string(r.Seen.Treatment)
	}
	return got, cp.Next
}

// Whatever the chunks, and whichever way they take, a task holds what was added
// up to its checkpoint; its neighbours hold theirs. A task that is dropped
// begins anew.
func TestLoaderKeepsWhatWasFlushed(t *testing.T) {
	s := open(t, inMemory())
	rapid.Check(t, func(t *rapid.T) {
		loads := map[int32]*loading{}
		for _, task := range []int32{1, 2, 256} {
			if err := s.DropTask(task); err != nil {
				t.Fatal(err)
			}
			loads[task] = newLoading(s, task)
		}
		for range rapid.IntRange(1, 12).Draw(t, "chunks") {
			task := rapid.SampledFrom([]int32{1, 2, 256}).Draw(t, "task")
			if rapid.IntRange(0, 8).Draw(t, "drop") == 0 {
				if err := s.DropTask(task); err != nil {
					t.Fatal(err)
				}
				loads[task] = newLoading(s, task)
			}
			if err := loads[task].chunk(t); err != nil {
				t.Fatal(err)
			}
			for task, l := range loads {
				got, next := stored(t, s, task)
				if next != l.next || !maps.Equal(got, l.at[l.next]) {
					t.Fatalf("task %d: at %d got %q, want %q at %d", task, next, got, l.at[l.next], l.next)
				}
			}
		}
	})
}

// large fills a loader with a chunk that becomes a table.
func large(l *Loader, text string) {
	l.ingestFrom = 0
	for i := range 100 {
		l.Put(stateKey(userName(i), "t"), encoded(record(text, 1)))
	}
}

func TestLoaderRefusesToGoBack(t *testing.T) {
	s := open(t, inMemory())
	l := s.NewLoader(1, 1<<20)
	large(l, "on")
	must(t, l.Flush(at(10)))
	large(l, "off")
	for _, next := range []int64{9, 11} {
		if err := l.Flush(at(next)); err == nil || !strings.Contains(err.Error(), "of task 1 would go back") {
			t.Errorf("at %d: got %v", next, err) // what the first one held is lost, so the second must not pass
		}
	}
	if got := texts(t, s, 1)[string(stateKey(userName(7), "t"))]; got != "on" {
		t.Errorf("a refused chunk was written: %q", got)
	}
}

func TestLoaderTellsItsSize(t *testing.T) {
	l := open(t, inMemory()).NewLoader(1, 10_000)
	for n := 0; !l.Full(); n++ {
		if n > 100 {
			t.Fatalf("never full: %d bytes", l.Size())
		}
		l.Put(stateKey(userName(n), "t"), make([]byte, 200))
	}
	if l.Size() < 10_000 || l.Size() > 10_300 {
		t.Errorf("full with %d bytes", l.Size())
	}
	must(t, l.Flush(at(1)))
	if l.Full() || l.Size() != 0 {
		t.Errorf("%d bytes after a flush", l.Size())
	}
	must(t, l.Flush(at(5)))
	if cp, _, err := l.s.Checkpoint(1); cp.Next != 5 || err != nil {
		t.Errorf("after an empty flush: %v, %v", cp, err)
	}
	l.Put(stateKey("ann", "t"), nil)
	must(t, l.Flush(at(6)))
	if v, err := l.s.read(appendRecordKey(nil, 1, key("ann", "t"))); v == nil || err != nil {
		t.Errorf("an empty value is stored as %v, %v", v, err)
	}
	l.Close()
}

// What a crash leaves beside the store is removed, by Open and by Remove.
func TestUnfinishedTablesAreRemoved(t *testing.T) {
	o := options(t)
	s := open(t, o)
	l := s.NewLoader(1, 1<<20)
	large(l, "on")
	must(t, l.Flush(at(1)))
	dir := filepath.Join(o.Dir, "store.loading")
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("a flush leaves %q", got)
	}
	must(t, s.Close())
	leave := func() {
		must(t, os.MkdirAll(dir, 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "1.sst"), []byte("half"), 0o600))
	}
	leave()
	s = open(t, o)
	if got := names(t, o.Dir); slices.Contains(got, "store.loading") {
		t.Errorf("after Open: %q", got)
	}
	if got := len(texts(t, s, 1)); got != 100 {
		t.Errorf("%d records are left", got)
	}
	must(t, s.Close())
	leave()
	must(t, Remove(o.Dir))
	if got := names(t, o.Dir); !slices.Equal(got, []string{"lock"}) {
		t.Errorf("after Remove: %q", got)
	}
}

// A loader's tables are made as the store's own are.
func TestTablesAreLikeTheStores(t *testing.T) {
	s := open(t, options(t))
	o := s.NewOverlay()
	must(t, applyNumbered(o, 1))
	must(t, s.db.Flush())
	l := s.NewLoader(1, 1<<20)
	large(l, "on")
	must(t, l.Flush(at(1)))
	levels, err := s.db.SSTables(pebble.WithProperties())
	must(t, err)
	kinds := map[string]int{}
	for _, table := range slices.Concat(levels...) {
		kinds[table.Properties.FilterPolicyName+" "+table.Properties.CompressionName]++
	}
	if len(kinds) != 1 || kinds["rocksdb.BuiltinBloomFilter Snappy"] < 3 {
		t.Errorf("got %v", kinds)
	}
}

// Loaders and overlays of different tasks work side by side.
func TestLoadersWorkSideBySide(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := Open(options(t))
	must(t, err)
	errs := make(chan error)
	for task := range int32(4) {
		go func() {
			l := s.NewLoader(task+1, 1<<20)
			var err error
			for n := int64(1); n <= 8 && err == nil; n++ {
				large(l, fmt.Sprint(n))
				err = l.Flush(at(n))
			}
			errs <- err
		}()
	}
	go func() {
		o := s.NewOverlay()
		var err error
		for n := int64(1); n <= 50 && err == nil; n++ {
			err = applyNumbered(o, n)
		}
		errs <- err
	}()
	for range 5 {
		must(t, <-errs)
	}
	for task := range int32(4) {
		got := texts(t, s, task+1)
		if len(got) != 100 || got[string(stateKey(userName(99), "t"))] != "8" {
			t.Errorf("task %d: %d records, the last is %q", task+1, len(got), got[string(stateKey(userName(99), "t"))])
		}
	}
	if got := len(texts(t, s, 0)); got != 51 {
		t.Errorf("task 0: %d records", got)
	}
	must(t, s.Close())
	goleak.VerifyNone(t, before)
}
