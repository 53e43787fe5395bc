package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/bench/workload"
)

// Load puts events into a topic until the generator is at an event's number,
// as many records a second as are wanted, 0 for as fast as it goes, and returns
// how many records that made. Keys go where Java's default partitioner puts them.
func (c *Cluster) Load(ctx context.Context, topic string, p workload.Params, g *workload.Generator, to int64, rate int, progress func(done int64)) (int64, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...),
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerBatchMaxBytes(256<<10), kgo.ProducerLinger(5*time.Millisecond),
		kgo.MaxBufferedBytes(64<<20), kgo.MaxBufferedRecords(200_000))
	if err != nil {
		return 0, fmt.Errorf("setting up the producer: %w", err)
	}
	defer cl.Close()
	l := loader{p: p, g: g, client: cl, rate: rate, began: time.Now(), progress: progress}
	if err := l.load(ctx, to); err != nil {
		return 0, fmt.Errorf("loading %s: %w", topic, err)
	}
	return l.records, nil
}

type loader struct {
	p        workload.Params
	g        *workload.Generator
	client   *kgo.Client
	rate     int
	began    time.Time
	progress func(int64)
	records  int64

	mu     sync.Mutex
	failed error
}

func (l *loader) load(ctx context.Context, to int64) error {
	for l.g.Done() < to {
		if err := l.pace(ctx); err != nil {
			return err
		}
		r := l.record()
		l.records++
		l.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.failed = err
			}
		})
		if l.records%10_000 == 0 {
			if err := l.err(); err != nil {
				return err
			}
			l.progress(l.g.Done())
		}
	}
	if err := l.client.Flush(ctx); err != nil {
		return err
	}
	return l.err()
}

// pace waits until the next record is due, some at a time.
func (l *loader) pace(ctx context.Context) error {
	const atOnce = 16
	if l.rate == 0 || l.records%atOnce != 0 {
		return ctx.Err()
	}
	due := l.began.Add(time.Duration(float64(l.records) / float64(l.rate) * float64(time.Second)))
	if wait := time.Until(due); wait > 0 {
		return Sleep(ctx, wait)
	}
	return ctx.Err()
}

func (l *loader) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// record makes the next record, of one event or several.
func (l *loader) record() *kgo.Record {
	e, _ := l.g.Next()
	r := &kgo.Record{Timestamp: workload.Epoch.Add(time.Duration(e.Sent) * time.Millisecond)}
	if l.p.Batch == 1 {
		r.Value = l.p.Append(make([]byte, 0, 768), e)
	} else {
		r.Value = l.p.Append([]byte{'['}, e)
		for n := 1; n < l.p.Batch; n++ {
			e, ok := l.g.Next()
			if !ok {
				break
			}
			r.Value = l.p.Append(append(r.Value, ','), e)
			r.Timestamp = workload.Epoch.Add(time.Duration(e.Sent) * time.Millisecond)
		}
		r.Value = append(r.Value, ']')
	}
	if l.p.Batch == 1 && !l.g.Chance(l.p.Unkeyed) {
		r.Key = []byte(l.p.User(e.Key))
	}
	return r
}
