package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/bench/workload"
)

// Feed puts the events of a generator into a topic, so many a second, by a
// producer that does not linger. It tells each event just before the producer has
// it.
func (c *Cluster) Feed(ctx context.Context, topic string, p workload.Params, g *workload.Generator, rate int, sending func(workload.Event)) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...),
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(0))
	if err != nil {
		return fmt.Errorf("setting up the producer: %w", err)
	}
	defer cl.Close()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	began := time.Now()
	for n := 0; ; n++ {
		if err := sleepUntil(ctx, began.Add(time.Duration(n)*time.Second/time.Duration(rate))); err != nil {
			break
		}
		e, ok := g.Next()
		if !ok {
			break
		}
		r := &kgo.Record{
			Key: []byte(p.User(e.Key)), Value: p.Append(make([]byte, 0, 768), e),
			Timestamp: workload.Epoch.Add(time.Duration(e.Sent) * time.Millisecond),
		}
		sending(e)
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				fail(err)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return fmt.Errorf("feeding %s: %w", topic, context.Cause(ctx))
	}
	return context.Cause(ctx)
}

// sleepUntil waits for a moment to come. Timers are not exact, so it waits for a
// millisecond at least: what is due by then goes out together.
func sleepUntil(ctx context.Context, due time.Time) error {
	if wait := time.Until(due); wait > 0 {
		return Sleep(ctx, max(wait, time.Millisecond))
	}
	return ctx.Err()
}
