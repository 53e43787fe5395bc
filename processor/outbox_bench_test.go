package processor

import (
	"fmt"
	"testing"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/state"
	"traitstream/trait"
)

// BenchmarkOutbox builds transactions of many users' first changes, with their
// records of the changelog.
func BenchmarkOutbox(b *testing.B) {
	const changes = 9_000
	o := &Options{Fleet: fleet.Fleet{
		Config: &config.Config{App: "traitstream"},
		Topics: &kafka.Topics{Traits: kafka.Topic{Name: "traitstream.traits"}, Changelog: kafka.Topic{Name: "traitstream.changelog"}},
	}}
	keys, recs := make([]trait.Key, changes), make([]trait.Record, changes)
	for i := range keys {
		keys[i] = trait.Key{
			Identity: impression.User, User: fmt.Appendf(nil, "user-%07d", i*7919), Trait: fmt.Appendf(nil, "flag_%02d", i%20),
		}
		recs[i].Merge(o.Config.App, keys[i], trait.Register{
			SeenAt: noon + int64(i), Version: 1665436973467, Treatment: []byte("on"), Value: []byte(`"on"`),
		}, trait.Facts{
			Flag: keys[i].Trait, Environment: []byte("Production"), Label: []byte("default rule"), Definition: "{split}",
			Place: trait.Place{Topic: "impressions", Partition: 3, Offset: int64(i), Index: -1, Timestamp: noon + int64(i)},
		}, 0)
	}
	out := newOutbox(o, newTally(), nil)
	b.ReportAllocs()
	for b.Loop() {
		for i := range keys {
			if rec := &recs[i]; !out.fits(keys[i], rec) || !out.change(3, keys[i], rec) {
				b.Fatal("the change is refused")
			}
		}
		for i := range keys {
			out.changelog(state.Entry{Task: 3, Key: keys[i].User, Value: keys[i].Trait})
		}
		out.taken = len(out.records)
		out.reset()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/changes, "ns/change")
}
