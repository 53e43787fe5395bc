package processor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
)

// BenchmarkPipe runs the whole job on the embedded broker, whose work is in the
// figures: impressions of 650 bytes by Segment, of which a fifth makes a change.
//
//	go test ./processor -run '^$' -bench Pipe -benchtime 1x
func BenchmarkPipe(b *testing.B) {
	const events = 200_000
	var before, after runtime.MemStats
	allocs := uint64(0)
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, "", 4)
		w.fill(events)
		m := w.member("")
		ctx, stop := context.WithCancel(b.Context())
		runtime.ReadMemStats(&before)
		b.StartTimer()
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		if err := m.WaitUntilCaughtUp(ctx); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		runtime.ReadMemStats(&after)
		allocs += after.Mallocs - before.Mallocs
		stop()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		m.close()
		b.StartTimer()
	}
	b.ReportMetric(float64(allocs)/float64(events)/float64(b.N), "allocs/event")
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// fill produces impressions of skewed users from a fixed seed.
func (w *world) fill(events int) {
	rng := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rng, 1.1, 1, 50_000)
	for i := range events {
		user := fmt.Sprintf("user-%08d", zipf.Uint64())
		seen := time.UnixMilli(noon + int64(i)).UTC().Format("2006-01-02T15:04:05.000Z")
		r := &kgo.Record{
			Topic: "impressions", Key: []byte(user), Timestamp: time.UnixMilli(noon + int64(i)),
			Partition: kafka.Partition([]byte(user), w.topics.Tasks),
			Value: fmt.Appendf(nil, `{"type":"track","event":"get_treatment","userId":%q,"messageId":"api-%016x",`+
				`"timestamp":%q,"originalTimestamp":%q,"receivedAt":%q,"properties":{"split":"flag_%02d","treatment":%q,`+
				`"label":"in segment employees","environmentName":"Prod-Default","environmentId":"0c3a9f10-9d3e-11ee-8c90-0242ac120002",`+
				`"key":%q,"machineIP":"10.0.0.7","splitVersionNumber":1665436973467,"sdk":"javascript","sdkVersion":"11.8.0"},`+
				`"context":{"library":{"name":"unknown","version":"unknown"}}}`,
				user, i, seen, seen, seen, rng.IntN(20), []string{"on", "off"}[rng.IntN(20)/19], user),
		}
		w.client.Produce(w.t.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				w.t.Error(err)
			}
		})
	}
	if err := w.client.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}
