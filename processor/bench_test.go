package processor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/state"
)

// BenchmarkPipe runs the whole job on the embedded broker, whose work is in the
// figures: impressions of 650 bytes by Segment, of which a fifth makes a change.
//
//	go test ./processor -run '^$' -bench Pipe -benchtime 1x
func BenchmarkPipe(b *testing.B) { pipe(b, 0) }

// BenchmarkPipeAsked is BenchmarkPipe while two thousand questions a second come
// for users, which all ask for all of their traits.
func BenchmarkPipeAsked(b *testing.B) { pipe(b, 2000) }

func pipe(b *testing.B, asks int) {
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
		if asks > 0 {
			go w.askOften(ctx, m, time.Second/time.Duration(asks))
		}
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

// askOften asks for users, one after the other in so much time, without waiting
// for answers.
func (w *world) askOften(ctx context.Context, m *member, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		user := fmt.Sprintf("user-%08d", i%500)
		l := state.Lookup{Task: kafka.Partition([]byte(user), w.topics.Tasks), User: state.User{Identity: impression.User, ID: user}, Most: 1000}
		go func() { _, _ = m.Ask(ctx, l) }() // the task may not be here yet
	}
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
