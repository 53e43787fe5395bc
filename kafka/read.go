package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	fetchBytes = 4 << 20 // a larger batch is still read, alone
	fetchWait  = 500 * time.Millisecond
)

// OutOfRangeError tells that a partition does not hold the offsets that were
// asked for: older records were deleted, or the topic was created anew.
type OutOfRangeError struct {
	Topic      string
	Partition  int32
	Offset     int64
	Start, End int64 // what the partition holds, End exclusive; -1: unknown
}

func (e *OutOfRangeError) Error() string {
	return fmt.Sprintf("offset %d is not in the log of %s, partition %d, which holds %d to %d: "+
		"older records were deleted, or the topic was created anew", e.Offset, e.Topic, e.Partition, e.Start, e.End)
}

var errRecreated = errors.New("the topic was deleted and created anew while it was read")

// ReadPartition gives fn each committed record of the partition whose offset is
// at least from and less than to, in order. Here to is typically the high
// watermark: an end that was told by the last stable offset would leave out a
// transaction that is committed but not yet marked so.
//
// It knows the end for certain although offsets have gaps, and waits for
// transactions that are open below it. It holds about 4 MiB of fetched data at
// a time. Leaders that move and brokers that are away are waited for until ctx
// ends. Offsets that the log does not hold are an *OutOfRangeError. An error of
// fn ends the read.
func ReadPartition(ctx context.Context, cl *kgo.Client, topic string, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	r := newReader(cl, topic, partition)
	if err := r.read(ctx, from, to, fn); err != nil {
		return fmt.Errorf("reading topic %s, partition %d: %w", topic, partition, Explain(err))
	}
	return nil
}

// reader fetches by hand, since only the raw answer tells where the next fetch
// begins when the last offsets hold markers or aborted records.
type reader struct {
	cl           *kgo.Client
	topic        string
	partition    int32
	decompressor kgo.Decompressor
	wait         time.Duration // of the broker, where nothing is there to read

	id     [16]byte // of the topic; zero until located, and on old brokers
	leader int32    // -1: not located
	epoch  int32    // of the leader
}

func newReader(cl *kgo.Client, topic string, partition int32) *reader {
	return &reader{
		cl: cl, topic: topic, partition: partition,
		decompressor: kgo.DefaultDecompressor(), wait: fetchWait, leader: -1,
	}
}

func (r *reader) read(ctx context.Context, at, to int64, fn func(*kgo.Record) error) error {
	for short := 0; at < to; {
		raw, err := r.fetch(ctx, at)
		if err != nil {
			return err
		}
		next, err := r.deliver(raw, at, to, fn)
		if err != nil {
			return err
		}
		// A new leader's high watermark lags for a moment. A log that stays
		// shorter than to has lost its end.
		if short++; next > at || raw.HighWatermark >= to {
			short = 0
		}
		if short > patience {
			return r.outOfRange(ctx, to)
		}
		at = next
	}
	return nil
}

// deliver gives fn the committed records of an answer, and returns the offset
// of the next fetch, which may lie beyond to.
func (r *reader) deliver(raw *kmsg.FetchResponseTopicPartition, at, to int64, fn func(*kgo.Record) error) (int64, error) {
	fetched, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset:         at,
		IsolationLevel: kgo.ReadCommitted(),
		Topic:          r.topic,
		Partition:      r.partition,
	}, raw, r.decompressor, nil)
	if fetched.Err != nil {
		return 0, fmt.Errorf("decoding the batch at offset %d: %w", next, fetched.Err)
	}
	if next == at && len(raw.RecordBatches) > 0 {
		return 0, fmt.Errorf("the batch at offset %d cannot be decoded", at)
	}
	for _, rec := range fetched.Records {
		if rec.Offset >= to {
			break
		}
		if err := fn(rec); err != nil {
			return 0, err
		}
	}
	return next, nil
}
