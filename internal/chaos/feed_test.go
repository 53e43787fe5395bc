//go:build linux

package chaos

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// feed puts records into the sources and knows of each whether it is there. It
// is a client like any other: idempotent, with acks of all replicas, and it
// tries again for as long as it takes.
type feed struct {
	w      *world
	client *kgo.Client
	cancel context.CancelFunc
	done   sync.WaitGroup
	acked  atomic.Int64

	mu    sync.Mutex
	stood time.Duration // the longest time without an ack
	last  time.Time
}

// feed starts one.
func (w *world) feed(random *rand.Rand) *feed {
	w.t.Helper()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(w.cluster.brokers...),
		kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(partitioner)),
		kgo.MetadataMaxAge(2*time.Second), // to find added partitions soon
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.AlwaysRetryEOF(), // of a port that is there before the broker is
		kgo.MaxBufferedRecords(20_000),
		kgo.ProducerLinger(5*time.Millisecond),
	)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background()) // it ends by stop
	f := &feed{w: w, client: client, cancel: cancel, last: time.Now()}
	w.t.Cleanup(func() {
		cancel()
		client.Close()
		f.done.Wait()
	})
	f.done.Go(func() { f.loop(ctx, newMaker(random)) })
	return f
}

// partitioner keeps records where they were put, those with a key where Java
// would put them, and gives all others to the partitions in turn.
func partitioner(string) func(*kgo.Record, int) int {
	next := 0
	return func(r *kgo.Record, partitions int) int {
		switch {
		case r.Partition != anywhere:
			return int(r.Partition)
		case r.Key != nil:
			return int(javaPartition(string(r.Key), partitions))
		}
		next++
		return next % partitions
	}
}

func (f *feed) loop(ctx context.Context, m *maker) {
	const each = 10 * time.Millisecond
	tick := time.NewTicker(each)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for range f.w.rate * int(each/time.Millisecond) / 1000 {
				// It waits here while brokers are away. What it has taken it sends,
				// also after ctx.
				f.client.Produce(context.WithoutCancel(ctx), m.record(now), f.answered)
			}
		}
	}
}

func (f *feed) answered(r *kgo.Record, err error) {
	if err != nil {
		f.w.t.Errorf("feeding %s, partition %d: %v", r.Topic, r.Partition, err)
		return
	}
	f.acked.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.stood = max(f.stood, now.Sub(f.last))
	f.last = now
}

// stop waits until all that was sent is in the sources.
func (f *feed) stop(ctx context.Context) {
	f.w.t.Helper()
	f.cancel()
	f.done.Wait()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := f.client.Flush(ctx); err != nil {
		f.w.t.Fatalf("feeding: %v", err)
	}
}

// watch reads the traits topic while it grows, to see how long it stands still.
type watch struct {
	cancel  context.CancelFunc
	done    sync.WaitGroup
	records int
	longest time.Duration           // without any committed record
	since   time.Duration           // after the world's begin, when that began
	each    map[int32]time.Duration // the same for each partition
}

func (w *world) watch() *watch {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.brokers...), kgo.ConsumeTopics(app+"-traits"),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.AlwaysRetryEOF(),
		kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background()) // it ends by stop
	v := &watch{cancel: cancel, each: map[int32]time.Duration{}}
	w.t.Cleanup(v.stop)
	v.done.Go(func() {
		defer client.Close()
		v.loop(ctx, client, w.began)
	})
	return v
}

func (v *watch) loop(ctx context.Context, client *kgo.Client, began time.Time) {
	last, lastOf := time.Now(), map[int32]time.Time{}
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		now := time.Now()
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if len(p.Records) == 0 {
				return
			}
			v.records += len(p.Records)
			if gap := now.Sub(last); gap > v.longest {
				v.longest, v.since = gap, last.Sub(began)
			}
			if before, ok := lastOf[p.Partition]; ok {
				v.each[p.Partition] = max(v.each[p.Partition], now.Sub(before))
			}
			last, lastOf[p.Partition] = now, now
		})
	}
}

// stop ends the reading; what was seen may be looked at then.
func (v *watch) stop() {
	v.cancel()
	v.done.Wait()
}
