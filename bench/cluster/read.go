package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Read gives fn each committed record of a topic up to its present end, in the
// order of each partition.
func (c *Cluster) Read(ctx context.Context, topic string, fn func(key, value []byte) error) error {
	ends, err := c.Ends(ctx, topic)
	if err != nil {
		return err
	}
	cl, err := c.Reader(topic, kgo.NewOffset().AtStart())
	if err != nil {
		return err
	}
	defer cl.Close()
	at := map[int32]int64{}
	for !reached(at, ends) {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading %s: %w", topic, err)
		}
		var failed error
		fetches.EachRecord(func(r *kgo.Record) {
			at[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() && failed == nil {
				failed = fn(r.Key, r.Value)
			}
		})
		if failed != nil {
			return fmt.Errorf("reading %s: %w", topic, failed)
		}
	}
	return nil
}

// reached tells whether a reader has come to all ends. Markers count, so the
// reader must be given them.
func reached(at, ends map[int32]int64) bool {
	for partition, end := range ends {
		if at[partition] < end {
			return false
		}
	}
	return true
}

// Reader returns a client that reads a topic's committed records, and the
// markers of transactions, from an offset on. The caller closes it.
func (c *Cluster) Reader(topic string, from kgo.Offset) (*kgo.Client, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(from),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("setting up a reader of %s: %w", topic, err)
	}
	return cl, nil
}
