package state

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/trait"
)

// options are those of a test's store in a folder of its own.
func options(t testing.TB) Options {
	t.Helper()
	return Options{Dir: t.TempDir(), App: "app", ClusterID: "cluster", CacheBytes: 8 << 20}
}

func inMemory() Options { return Options{InMemory: true, App: "app", CacheBytes: 8 << 20} }

func onFS(fs vfs.FS) Options {
	return Options{Dir: "/state", App: "app", ClusterID: "cluster", CacheBytes: 8 << 20, fs: fs}
}

// open opens a store for the length of a test.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func key(user, name string) trait.Key {
	return trait.Key{Identity: impression.User, User: []byte(user), Trait: []byte(name)}
}

func stateKey(user, name string) []byte { return schemas.AppendStateKey(nil, key(user, name)) }

// record is one whose value is text, quoted, as processing leaves it.
func record(text string, seenAt int64) trait.Record {
	value := []byte(`"` + text + `"`)
	return trait.Record{
		Seen: trait.Register{SeenAt: seenAt, Version: 7, Treatment: []byte(text), Value: value},
		Emitted: trait.Emission{
			Sent: true, Value: value, SeenAt: seenAt, Version: 7,
			Facts: trait.Facts{
				Flag: []byte("new_checkout"), Environment: []byte("Production"), Label: []byte("default rule"),
				Definition: "{split}",
				Place:      trait.Place{Topic: "impressions", Partition: 3, Offset: 42, Index: -1, Timestamp: seenAt},
			},
			Generation: 1,
		},
	}
}

func encoded(r trait.Record) []byte { return schemas.AppendRecord(nil, &r) }

// texts returns the values of a task's records by state key.
func texts(t testing.TB, s *Store, task int32) map[string]string {
	t.Helper()
	m := map[string]string{}
	for e, err := range s.All(task) {
		must(t, err)
		var r trait.Record
		must(t, schemas.DecodeRecord(e.Value, &r))
		m[string(e.Key)] = string(r.Seen.Treatment)
	}
	return m
}

func at(next int64) Checkpoint {
	return Checkpoint{Next: next, Committed: time.UnixMilli(1_772_446_800_000 + next).UTC()}
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func userName(i int) string { return fmt.Sprintf("user-%07d", i) }
