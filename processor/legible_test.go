package processor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
	"traitstream/trait"
)

// A restore takes nothing into the state that the program could not read later.
// It says which record that is and how to remove it, and goes on once that is done.
func TestRestoreRefusesWhatItCantRead(t *testing.T) {
	key := schemas.AppendStateKey(nil, stateKey("x"))
	for name, c := range map[string]struct {
		key, value []byte
		cause      string
	}{
		"a foreign key":            {[]byte("foreign"), []byte("?"), "malformed state key"},
		"a value of another":       {key, []byte("garbage"), "version 103: a newer release of traitstream wrote it (run that one or a later one), or something else wrote it"},
		"a value that was damaged": {key, []byte{1, 2, 3}, "malformed record of state"},
		"an empty value":           {key, []byte{}, "malformed record of state"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "", 1)
			m := w.member("")
			defer m.close()
			bad := func(value []byte) *kgo.Record {
				return &kgo.Record{Topic: w.topics.Changelog.Name, Key: c.key, Value: value}
			}
			w.put(w.logged("u"), bad(c.value), w.logged("v"), bad(c.value))
			for range 2 { // the first one has not passed it over for the second
				err := m.restorer.restore(t.Context(), 0)
				if err == nil || retriable(err) {
					t.Fatalf("the restore ends with %v", err)
				}
				for _, want := range []string{
					fmt.Sprintf("%s, partition 0, offset 3: the record with the key %q", w.topics.Changelog.Name, c.key),
					c.cause, "a newer release", "null value removes it", "--reset-state",
				} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%q lacks %q", err, want)
					}
				}
			}
			w.put(bad(nil))
			if err := m.restorer.restore(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			if !m.has("u") || !m.has("v") || m.has("x") {
				t.Error("the state is not what the changelog says")
			}
		})
	}
}

// What a later record has replaced is not read again, and a chunk that is written
// before that is known does not count beyond it.
func TestRestoreOverWhatWasReplaced(t *testing.T) {
	w := newWorld(t, "", 1)
	m := w.member("")
	defer m.close()
	r := &restoring{restorer: m.restorer, end: 20, loader: m.store.NewLoader(0, 1)}
	defer r.loader.Close()
	for offset, c := range []struct {
		user, value string
		next        int64 // of the checkpoint then
	}{{"u", "", 1}, {"x", "?", 1}, {"v", "", 1}, {"x", "", 4}} {
		rec := w.logged(c.user)
		rec.Offset = int64(offset)
		if c.value != "" {
			rec.Value = []byte(c.value)
		}
		if err := r.add(rec); err != nil {
			t.Fatal(err)
		}
		if cp, ok, err := m.store.Checkpoint(0); err != nil || !ok || cp.Next != c.next {
			t.Errorf("after offset %d the checkpoint is %+v, %v, %v; want %d", offset, cp, ok, err, c.next)
		}
	}
	if !m.has("u") || !m.has("v") || !m.has("x") {
		t.Error("the state is not what the changelog says")
	}
}

// A topic that is another program's altogether is not read to its end.
func TestRestoreOfAnotherTopic(t *testing.T) {
	w := newWorld(t, "", 1)
	m := w.member("")
	defer m.close()
	r := &restoring{restorer: m.restorer, end: 1 << 40, loader: m.store.NewLoader(0, 1<<20)}
	defer r.loader.Close()
	for offset := range int64(2 * mostIllegible) {
		if err := r.add(&kgo.Record{Key: fmt.Append(nil, offset), Value: []byte("?"), Offset: offset}); err != nil {
			return
		}
	}
	t.Error("it goes on")
}

// BenchmarkRestoreAdd takes records of a changelog as a restore does, without
// reading them from the broker and writing them to the store.
func BenchmarkRestoreAdd(b *testing.B) {
	w := newWorld(b, "", 1)
	m := w.member("")
	defer m.close()
	records := make([]*kgo.Record, 1000)
	for i := range records {
		records[i] = w.logged(fmt.Sprintf("user-%08d", i))
		records[i].Value = schemas.AppendRecord(nil, &trait.Record{
			Seen: trait.Register{SeenAt: noon, Version: 1665436973467, Treatment: []byte("on"), Value: []byte(`"on"`)},
			Emitted: trait.Emission{Sent: true, Value: []byte(`"on"`), Previous: []byte(`"off"`), SeenAt: noon, Version: 1665436973467, Facts: trait.Facts{
				Flag: []byte("back_end_roll_algorithm"), Environment: []byte("Prod-Default"), Label: []byte("in segment employees"), Definition: "{split}",
				Place: trait.Place{Topic: "impressions", Offset: int64(i), Index: -1, Timestamp: noon},
			}},
		})
	}
	r := &restoring{restorer: m.restorer, end: 1 << 40, loader: m.store.NewLoader(0, 1<<30)}
	defer func() { r.loader.Close() }()
	for i := 0; b.Loop(); i++ {
		if r.loader.Size() > restoreBytes { // dropped, not written
			r.loader.Close()
			r.loader = m.store.NewLoader(0, 1<<30)
		}
		if err := r.add(records[i%len(records)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
