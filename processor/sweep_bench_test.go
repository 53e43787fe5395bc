package processor

import (
	"fmt"
	"math"
	"testing"
	"time"

	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// A sweep over a million keys of which none expires. At sweepRate keys a second it
// takes a core for ns/key times that.
func BenchmarkSweep(b *testing.B) {
	const keys = 1_000_000
	s, err := state.Open(state.Options{Dir: b.TempDir(), App: "app", ClusterID: "test", CacheBytes: 128 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	fillForSweep(b, s, keys)
	name, err := trait.ParseName("{split}")
	if err != nil {
		b.Fatal(err)
	}
	set, err := trait.NewSet([]trait.Definition{{Name: name, ExpireAfter: 90 * 24 * time.Hour}})
	if err != nil {
		b.Fatal(err)
	}
	w := &worker{o: &Options{Store: s, Traits: set}, leastExpiry: set.LeastExpiry()}
	r := &removals{task: &task{}, clock: noon}
	b.ReportAllocs()
	for b.Loop() {
		r.sweep = sweep{going: true, stored: true, next: math.MaxInt64, found: math.MaxInt64}
		for r.sweep.going {
			if _, err := w.sweepOn(r, int(sweepRate*sweepPause/time.Second)); err != nil {
				b.Fatal(err)
			}
		}
		if len(r.sweep.stale) > 0 {
			b.Fatal("something expires")
		}
	}
	each := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / keys
	b.ReportMetric(each, "ns/key")
	b.ReportMetric(100*each*sweepRate/1e9, "%core")
}

func fillForSweep(b *testing.B, s *state.Store, keys int) {
	b.Helper()
	l := s.NewLoader(0, 16<<20)
	defer l.Close()
	for i := range keys {
		key := trait.Key{Identity: impression.User, User: fmt.Appendf(nil, "user-%07d", i/4), Trait: fmt.Appendf(nil, "flag_%d", i%4)}
		value := []byte(`"on"`)
		rec := trait.Record{
			Seen: trait.Register{SeenAt: noon - int64(i), Version: 7, Treatment: []byte("on"), Value: value},
			Emitted: trait.Emission{
				Sent: true, Value: value, SeenAt: noon - int64(i) - 1000, Version: 7,
				Facts: trait.Facts{
					Flag: []byte("flag"), Environment: []byte("Production"), Label: []byte("default rule"), Definition: "{split}",
					Place: trait.Place{Topic: "impressions", Partition: 3, Offset: int64(i), Index: -1, Timestamp: noon},
				},
			},
		}
		l.Put(schemas.AppendStateKey(nil, key), schemas.AppendRecord(nil, &rec))
		if l.Full() || i == keys-1 {
			if err := l.Flush(state.Checkpoint{Next: int64(i), Committed: time.Now()}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
