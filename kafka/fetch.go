package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetch asks for the records at this offset until a leader answers. The answer
// is empty where the next record is not decided within half a second.
func (r *reader) fetch(ctx context.Context, at, to int64) (*kmsg.FetchResponseTopicPartition, error) {
	for try := 0; ; try++ {
		raw, err := r.tryFetch(ctx, at, to)
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
		if ended := backoff(ctx, try); ended != nil {
			return nil, fmt.Errorf("%w while waiting, after: %w", ended, err)
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

func (r *reader) tryFetch(ctx context.Context, at, to int64) (*kmsg.FetchResponseTopicPartition, error) {
	if r.leader < 0 {
		if err := r.locate(ctx); err != nil {
			return nil, err
		}
	}
	resp, err := r.cl.Broker(int(r.leader)).Request(ctx, r.request(at, to))
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
func (r *reader) request(at, to int64) *kmsg.FetchRequest {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition = r.partition
	p.CurrentLeaderEpoch = r.epoch
	p.FetchOffset = at
	p.PartitionMaxBytes = int32(min(fetchBytes, leastFetch+(to-at)*recordRoom))
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = r.topic, r.id
	t.Partitions = append(t.Partitions, p)
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis = int32(r.wait.Milliseconds())
	req.MinBytes = 1
	// The partition's bound is the one that counts: where an answer ends at this
	// one, the embedded broker leaves out which transactions were aborted.
	req.MaxBytes = 2 * fetchBytes
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
