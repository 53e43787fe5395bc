package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	fetchBytes = 4 << 20 // a larger batch is still read, alone
	// Where little is left, many reads at once, as of many tasks, do not take that
	// much each for what lies behind.
	leastFetch = 64 << 10
	recordRoom = 1 << 10
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
// transactions that are open below it. It fetches the next 4 MiB while fn is
// given the present ones, of which one batch at a time is decompressed. Leaders that move and brokers that are away are waited for until ctx
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
	cl        *kgo.Client
	topic     string
	partition int32
	wait      time.Duration // of the broker, where nothing is there to read

	id     [16]byte // of the topic; zero until located, and on old brokers
	leader int32    // -1: not located
	epoch  int32    // of the leader
}

func newReader(cl *kgo.Client, topic string, partition int32) *reader {
	return &reader{cl: cl, topic: topic, partition: partition, wait: fetchWait, leader: -1}
}

// answer is what a fetch at an offset came to.
type answer struct {
	at  int64
	raw *kmsg.FetchResponseTopicPartition
	err error // nothing comes after
}

// read decodes an answer while the next one is fetched. An answer is handed
// over before the one after it is asked for, so there are never more than two.
func (r *reader) read(ctx context.Context, from, to int64, fn func(*kgo.Record) error) error {
	ctx, cancel := context.WithCancel(ctx)
	answers, unwanted := make(chan answer), make(chan struct{})
	var fetching sync.WaitGroup
	defer fetching.Wait()
	defer cancel()
	defer close(unwanted)
	fetching.Go(func() {
		defer close(answers)
		r.fetchAll(ctx, from, to, func(a answer) bool {
			select {
			case answers <- a:
				return true
			case <-unwanted:
				return false
			}
		})
	})
	d := newDecoder(r.topic, r.partition)
	for a := range answers {
		if a.err != nil {
			return a.err
		}
		if err := d.decode(a.raw, a.at, to, fn); err != nil {
			return err
		}
	}
	return nil
}

// fetchAll hands over what the partition holds, fetch by fetch, until it has
// come to the end, has failed, or no more is wanted.
func (r *reader) fetchAll(ctx context.Context, at, to int64, hand func(answer) bool) {
	for short := 0; at < to; {
		raw, err := r.fetch(ctx, at, to)
		next := at
		if err == nil {
			next, err = nextOffset(raw.RecordBatches, at)
		}
		// A new leader's high watermark lags for a moment. A log that stays
		// shorter than to has lost its end.
		if short++; err == nil && (next > at || raw.HighWatermark >= to) {
			short = 0
		}
		if short > patience {
			err = r.outOfRange(ctx, to)
		}
		if !hand(answer{at, raw, err}) || err != nil {
			return
		}
		at = next
	}
}
