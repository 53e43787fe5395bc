package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// StableOffsets returns the group's committed offsets of the given partitions
// by topic, once every transaction that commits one of them is decided; for that
// and for brokers that are away it waits as long as ctx lasts. A partition
// without a commit is absent.
func StableOffsets(ctx context.Context, cl *kgo.Client, group string, topics map[string][]int32) (map[string]map[int32]int64, error) {
	return untilStable(ctx, group, func() (map[string]map[int32]int64, error) {
		return stableOffsets(ctx, cl, group, topics)
	})
}

func untilStable[T any](ctx context.Context, group string, fetch func() (T, error)) (offsets T, err error) {
	for try := 0; ; try++ {
		offsets, err := fetch()
		if err == nil {
			return offsets, nil
		}
		if passing(err, try) {
			ended := backoff(ctx, min(try, 3))
			if ended == nil {
				continue
			}
			err = fmt.Errorf("%w while waiting, after: %w", ended, err)
		}
		return offsets, fmt.Errorf("fetching the offsets of group %s: %w", group, Explain(err))
	}
}

// StableCommits returns those of the group's committed offsets that are wanted,
// with what is beside them, as StableOffsets does. It waits for no others.
func StableCommits(ctx context.Context, cl *kgo.Client, group string, wanted func(topic string, partition int32) bool) (kadm.OffsetResponses, error) {
	return untilStable(ctx, group, func() (kadm.OffsetResponses, error) {
		responses, err := kadm.NewClient(cl).FetchOffsets(kadm.RequireStable(ctx), group)
		if errors.Is(err, kerr.GroupIDNotFound) {
			return nil, nil
		}
		responses.DeleteFunc(func(r kadm.OffsetResponse) bool { return !wanted(r.Topic, r.Partition) })
		if err == nil {
			err = responses.Error()
		}
		return responses, err
	})
}

func stableOffsets(ctx context.Context, cl *kgo.Client, group string, topics map[string][]int32) (map[string]map[int32]int64, error) {
	responses, err := kadm.NewClient(cl).FetchOffsets(kadm.RequireStable(ctx), group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, err
	}
	offsets := make(map[string]map[int32]int64, len(topics))
	for topic, partitions := range topics {
		offsets[topic] = make(map[int32]int64, len(partitions))
		for _, p := range partitions {
			o, ok := responses.Lookup(topic, p)
			if !ok {
				continue
			}
			if o.Err != nil {
				return nil, fmt.Errorf("topic %s, partition %d: %w", topic, p, o.Err)
			}
			if o.At >= 0 {
				offsets[topic][p] = o.At
			}
		}
	}
	return offsets, nil
}
