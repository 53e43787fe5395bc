package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
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
	short := 0
	for at < to {
		raw, err := r.fetch(ctx, at)
		if err != nil {
			return err
		}
		fetched, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset:         at,
			IsolationLevel: kgo.ReadCommitted(),
			Topic:          r.topic,
			Partition:      r.partition,
		}, raw, r.decompressor, nil)
		if fetched.Err != nil {
			return fmt.Errorf("decoding the batch at offset %d: %w", next, fetched.Err)
		}
		for _, rec := range fetched.Records {
			if rec.Offset >= to {
				return nil
			}
			if err := fn(rec); err != nil {
				return err
			}
		}
		if next == at && len(raw.RecordBatches) > 0 {
			return fmt.Errorf("the batch at offset %d cannot be decoded", at)
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

// fetch asks for the records at this offset until a leader answers. The answer
// is empty where the next record is not decided within half a second.
func (r *reader) fetch(ctx context.Context, at int64) (*kmsg.FetchResponseTopicPartition, error) {
	for try := 0; ; try++ {
		raw, err := r.tryFetch(ctx, at)
		if err == nil {
			return raw, nil
		}
		if errors.Is(err, kerr.OffsetOutOfRange) {
			return nil, r.outOfRange(ctx, at)
		}
		if ctx.Err() != nil || !passing(err, try) {
			return nil, err
		}
		r.leader = -1
		if backoff(ctx, try) != nil {
			return nil, err
		}
	}
}

// passing tells whether another try may help. What the brokers or the network
// are known to recover from has no limit.
func passing(err error, try int) bool {
	var code *kerr.Error
	switch {
	case errors.Is(err, errRecreated), errors.Is(err, kgo.ErrClientClosed):
		return false
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		return try < patience
	case errors.As(err, &code):
		return code.Retriable
	}
	return kgo.IsRetryableBrokerErr(err) || adviceFor(err) == adviseReach || try < patience
}

func (r *reader) tryFetch(ctx context.Context, at int64) (*kmsg.FetchResponseTopicPartition, error) {
	if r.leader < 0 {
		if err := r.locate(ctx); err != nil {
			return nil, err
		}
	}
	resp, err := r.cl.Broker(int(r.leader)).Request(ctx, r.request(at))
	if err != nil {
		return nil, err
	}
	fetched, ok := resp.(*kmsg.FetchResponse)
	if !ok {
		return nil, fmt.Errorf("fetching: unexpected answer %T", resp)
	}
	if err := kerr.ErrorForCode(fetched.ErrorCode); err != nil {
		return nil, err
	}
	if len(fetched.Topics) != 1 || len(fetched.Topics[0].Partitions) != 1 {
		return nil, kerr.UnknownTopicOrPartition
	}
	p := &fetched.Topics[0].Partitions[0]
	return p, kerr.ErrorForCode(p.ErrorCode)
}

// request names the topic by name and id: the version that the broker speaks
// decides which of them is sent.
func (r *reader) request(at int64) *kmsg.FetchRequest {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition = r.partition
	p.CurrentLeaderEpoch = r.epoch
	p.FetchOffset = at
	p.PartitionMaxBytes = fetchBytes
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = r.topic, r.id
	t.Partitions = append(t.Partitions, p)
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis = int32(r.wait.Milliseconds())
	req.MinBytes = 1
	req.MaxBytes = fetchBytes
	req.IsolationLevel = 1
	req.Topics = append(req.Topics, t)
	return req
}

func (r *reader) locate(ctx context.Context) error {
	topics, err := metadata(ctx, r.cl, r.topic)
	if err != nil {
		return err
	}
	t, ok := topics[r.topic]
	if !ok {
		return kerr.UnknownTopicOrPartition
	}
	var none [16]byte
	if r.id != none && t.TopicID != r.id {
		return errRecreated
	}
	for _, p := range t.Partitions {
		if p.Partition != r.partition {
			continue
		}
		if p.Leader < 0 {
			return kerr.LeaderNotAvailable
		}
		r.id, r.leader, r.epoch = t.TopicID, p.Leader, p.LeaderEpoch
		return nil
	}
	return kerr.UnknownTopicOrPartition
}

// outOfRange says what the partition holds, as far as that can be found out.
func (r *reader) outOfRange(ctx context.Context, offset int64) error {
	e := &OutOfRangeError{Topic: r.topic, Partition: r.partition, Offset: offset, Start: -1, End: -1}
	adm := kadm.NewClient(r.cl)
	if l, err := adm.ListStartOffsets(ctx, r.topic); err == nil {
		if o, ok := l.Lookup(r.topic, r.partition); ok && o.Err == nil {
			e.Start = o.Offset
		}
	}
	if l, err := adm.ListEndOffsets(ctx, r.topic); err == nil {
		if o, ok := l.Lookup(r.topic, r.partition); ok && o.Err == nil {
			e.End = o.Offset
		}
	}
	return e
}
