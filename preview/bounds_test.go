package preview

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// crowded puts impressions of many users, each of whom has off and then, in two of
// three cases, on.
func (w *world) crowded(users int) {
	w.t.Helper()
	var records []*kgo.Record
	for round := range 3 {
		for user := range users {
			treatment := "off"
			if round > 0 && user%3 > 0 {
				treatment = "on"
			}
			records = append(records, w.webhook(fmt.Sprintf("u%d", user), "f", treatment, int64(round*1000)))
		}
	}
	w.put(records...)
}

func within(t *testing.T, what string, got, want int64, share float64) {
	t.Helper()
	if math.Abs(float64(got-want)) > share*float64(want) {
		t.Errorf("%s: %d is not within %.0f %% of %d", what, got, 100*share, want)
	}
}

// Where there are more users than may be kept, impressions are counted, users
// estimated by HyperLogLog, and all else by a sample, which the report says.
func TestMoreUsersThanAreKept(t *testing.T) {
	const users = 6000
	w := newWorld(t, "", 4, true)
	w.crowded(users)
	w.run()
	for name, bound := range map[string]func(*Options){
		"users":  func(o *Options) { o.Users = 1000 },
		"memory": func(o *Options) { o.Memory = 256 << 10 },
	} {
		r := w.preview("", bound)
		d := r.Definitions[0]
		if r.OneIn < 4 || r.OneIn > 32 || !d.Users.Estimated || d.Impressions != 3*users || r.Impressions != 3*users {
			t.Errorf("%s: one in %d: %+v", name, r.OneIn, d)
		}
		within(t, name+", users", d.Users.N, users, 0.04)
		within(t, name+", trait", d.Traits[0].Users, users, 0.25)
		within(t, name+", on", d.Traits[0].Values[0].Users, users*2/3, 0.25)
		within(t, name+", first values", d.Changes.First, users, 0.25)
		within(t, name+", other changes", d.Changes.Changed, users*2/3, 0.25)
		within(t, name+", same", r.Difference.Same, users, 0.25)
		if a := r.Difference; a.Added+a.Removed+a.Changed+a.Kept+a.Unprocessed != 0 || len(d.Sample) != 20 {
			t.Errorf("%s: %+v, sample of %d", name, a, len(d.Sample))
		}
	}
}

// What is kept stays within its bound, whatever there is.
func TestTableStaysWithinItsBound(t *testing.T) {
	w := newWorld(t, "traits: [{name: \"{split}\", property: properties.id}]", 2, false)
	const memory = 512 << 10
	var records []*kgo.Record
	for user := range 20_000 { // each with a value of its own
		records = append(records, &kgo.Record{
			Topic: "impressions", Partition: int32(user % 2), Timestamp: time.UnixMilli(noon),
			Value: fmt.Appendf(nil, `{"key":"user-%d","split":"f","treatment":"on","time":%d,"properties":{"id":"value-%d"}}`, user, noon, user),
		})
	}
	w.put(records...)
	p := newPreview(Options{Config: w.cfg, Topics: w.topics, Client: w.client, Memory: memory, Now: time.UnixMilli(noon)})
	noError(t, p.read(w.limit()))
	var bytes int64
	for i := range p.table.shards {
		bytes += p.table.shards[i].bytes()
	}
	if bytes > memory || bytes < memory/8 {
		t.Errorf("%d bytes are kept, of %d", bytes, memory)
	}
	r := p.report(true)
	within(t, "users", r.Definitions[0].Users.N, 20_000, 0.04)
	if of := r.Definitions[0].Traits[0]; len(of.Values) != mostValuesOf || of.MoreValues == 0 {
		t.Errorf("%d values and %d more", len(of.Values), of.MoreValues)
	}
}

// An interrupt leaves what was counted until then, and says that it is not all.
func TestInterrupted(t *testing.T) {
	w := newWorld(t, "", 64, false)
	w.crowded(50 * step)
	ctx, stop := context.WithCancel(w.limit())
	defer stop()
	r, err := Run(ctx, Options{
		Config: w.cfg, Topics: w.topics, Client: w.client, Now: time.UnixMilli(noon),
		Progress: func(_ string, done, total int64) {
			if done > total/4 {
				stop()
			}
		},
	})
	noError(t, err)
	if r.Complete || r.Share <= 0.2 || r.Share >= 0.9 || r.Difference != nil || r.Definitions[0].Impressions == 0 ||
		r.Definitions[0].Impressions != r.Impressions || r.Impressions >= 150*step {
		t.Errorf("%+v", r)
	}
}

// One that is interrupted before anything is read has counted nothing.
func TestInterruptedAtOnce(t *testing.T) {
	w := newWorld(t, "", 2, false)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	r, err := Run(ctx, Options{Config: w.cfg, Topics: w.topics, Client: w.client, Now: time.UnixMilli(noon)})
	noError(t, err)
	if r.Complete || r.Share != 0 || r.Records != 0 || r.Difference != nil {
		t.Errorf("%+v", r)
	}
}
