package processor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// starts decides at which offsets partitions begin.
type starts struct {
	o      *Options
	client *kgo.Client   // the group's, once it has joined
	joined chan struct{} // closed when there is a client: it may call before it is returned

	mu    sync.Mutex
	begun map[string]map[string]bool // the ids under which the client began to read, by topic
}

// adjust is called by the client with the committed offsets of partitions that
// were assigned. It gives a start to those that have none, and lets those go on
// whose place the source's retention has removed.
func (s *starts) adjust(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	adm := kadm.NewClient(s.o.Client)
	topics := slices.Collect(maps.Keys(offsets))
	if len(topics) == 0 {
		return offsets, nil
	}
	first, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("looking up where topics start: %w", err)
	}
	end, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("looking up where topics end: %w", err)
	}
	ids, err := s.o.topicIDs(ctx)
	if err != nil {
		return nil, err
	}
	for topic, partitions := range offsets {
		again, err := s.again(ctx, topic, ids[topic], partitions, first)
		if err != nil {
			return nil, err
		}
		fresh, err := s.fresh(ctx, adm, topic, partitions)
		if err != nil {
			return nil, err
		}
		for partition, offset := range partitions {
			lo, err := listed(first, topic, partition)
			if err != nil {
				return nil, err
			}
			hi, err := listed(end, topic, partition)
			if err != nil {
				return nil, err
			}
			at, committed := offset.EpochOffset().Offset, offset.EpochOffset().Offset >= 0
			switch {
			case !committed:
				at = max(fresh[partition], lo.Offset)
			case at < lo.Offset:
				s.skipped(topic, partition, at, lo.Offset)
				at = lo.Offset
			case again[partition]:
				continue
			case at > hi.Offset:
				s.o.Log.Warn("a topic was deleted and created again: it is read from its start",
					"topic", topic, "partition", partition, "committed", at, "end", hi.Offset)
				at = lo.Offset
			default:
				continue
			}
			partitions[partition] = kgo.NewOffset().At(at)
		}
	}
	// After again has committed: a crash before that must find the old ids.
	for topic, partitions := range offsets {
		for partition := range partitions {
			if err := s.o.remember(ids, topic, partition); err != nil {
				return nil, err
			}
		}
		s.begin(topic, ids[topic])
	}
	return offsets, nil
}

// again moves those partitions to their start whose topic was deleted and
// created again since this state has seen them, and commits that: a committed
// place of the old topic must not outlive the memory of its id.
func (s *starts) again(ctx context.Context, topic, id string, partitions map[int32]kgo.Offset, first kadm.ListedOffsets) (map[int32]bool, error) {
	again, at := map[int32]bool{}, map[int32]int64{}
	for partition, offset := range partitions {
		moved, err := s.o.recreated(topic, partition, id)
		if err != nil {
			return nil, err
		}
		if !moved {
			continue
		}
		lo, err := listed(first, topic, partition)
		if err != nil {
			return nil, err
		}
		s.o.Log.Warn("a topic was deleted and created again: it is read from its start",
			"topic", topic, "partition", partition, "committed", offset.EpochOffset().Offset)
		again[partition], at[partition] = true, lo.Offset
		partitions[partition] = kgo.NewOffset().At(lo.Offset)
	}
	if len(at) == 0 {
		return again, nil
	}
	return again, s.keep(ctx, topic, at)
}

// begin notes under which id the client has begun to read a topic.
func (s *starts) begin(topic, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		return
	}
	if s.begun == nil {
		s.begun = map[string]map[string]bool{}
	}
	if s.begun[topic] == nil {
		s.begun[topic] = map[string]bool{}
	}
	s.begun[topic][id] = true
}

// outlived tells whether the client has begun to read a topic that another one
// has replaced since: it never takes to a new id by itself.
func (s *starts) outlived(ids map[string]string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, begun := range s.begun {
		if id := ids[topic]; id != "" && (len(begun) > 1 || !begun[id]) {
			return true
		}
	}
	return false
}

// listed returns a partition's bound. One that the broker did not tell is an
// error: its offset reads -1, which a client takes for the end of the log.
func listed(bounds kadm.ListedOffsets, topic string, partition int32) (kadm.ListedOffset, error) {
	o, ok := bounds.Lookup(topic, partition)
	if !ok {
		o.Err = kerr.UnknownTopicOrPartition
	}
	if o.Err != nil {
		return o, fmt.Errorf("looking up the bounds of %s, partition %d: %w", topic, partition, o.Err)
	}
	return o, nil
}

// fresh returns where partitions without a committed offset start. A source's
// setting holds for partitions that the group finds when it first reads the
// source; those that are added later are read whole.
func (s *starts) fresh(ctx context.Context, adm *kadm.Client, topic string, partitions map[int32]kgo.Offset) (map[int32]int64, error) {
	var without []int32
	for partition, offset := range partitions {
		if offset.EpochOffset().Offset < 0 {
			without = append(without, partition)
		}
	}
	source, ok := sourceOf(s.o.Config, topic)
	if !ok || len(without) == 0 || !source.From.Latest && source.From.At.IsZero() {
		return nil, nil
	}
	known, err := adm.FetchOffsetsForTopics(ctx, s.o.Config.Group(), topic)
	if err != nil {
		return nil, fmt.Errorf("looking up the group's offsets: %w", err)
	}
	if settled := settledStarts(known[topic], without); len(settled) > 0 {
		return settled, nil
	}
	var at kadm.ListedOffsets
	if source.From.Latest {
		at, err = adm.ListEndOffsets(ctx, topic)
	} else {
		at, err = adm.ListOffsetsAfterMilli(ctx, source.From.At.UnixMilli(), topic)
	}
	if err != nil {
		return nil, fmt.Errorf("looking up where %s starts: %w", topic, err)
	}
	// All partitions, those of other members too: whoever comes a moment later
	// must not take his for partitions that were added.
	fresh := map[int32]int64{}
	for partition := range at[topic] {
		o, err := listed(at, topic, partition)
		if err != nil {
			return nil, err
		}
		fresh[partition] = o.Offset
	}
	return fresh, s.keep(ctx, topic, fresh)
}

// settledStarts returns the starts that another member has committed meanwhile.
// An entry that has none starts at 0; nothing is settled where all lack one.
func settledStarts(known map[int32]kadm.OffsetResponse, without []int32) map[int32]int64 {
	settled := map[int32]int64{}
	for _, o := range known {
		if o.At >= 0 {
			for _, partition := range without {
				settled[partition] = max(0, known[partition].At)
			}
			return settled
		}
	}
	return nil
}

// keep commits the starts of partitions that do not begin at their beginning: a
// restart before their first transaction must not choose again.
func (s *starts) keep(ctx context.Context, topic string, fresh map[int32]int64) error {
	offsets := map[int32]kgo.EpochOffset{}
	for partition, at := range fresh {
		offsets[partition] = kgo.EpochOffset{Epoch: -1, Offset: at}
	}
	<-s.joined
	var failed error
	s.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{topic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			failed = err
			if err == nil {
				for _, t := range resp.Topics {
					for _, p := range t.Partitions {
						failed = errors.Join(failed, kerr.ErrorForCode(p.ErrorCode))
					}
				}
			}
		})
	if failed != nil {
		return fmt.Errorf("committing where %s starts: %w", topic, failed)
	}
	return nil
}

// goOn moves a partition whose place is gone to the start of what is left.
func (s *starts) goOn(ctx context.Context, topic string, partition int32) error {
	first, err := kadm.NewClient(s.o.Client).ListStartOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("looking up where %s starts: %w", topic, err)
	}
	lo, err := listed(first, topic, partition)
	if kerr.IsRetriable(errors.Unwrap(err)) {
		return nil // the fetch fails again, and it is looked up again
	}
	if err != nil {
		return err
	}
	place := s.client.CommittedOffsets()[topic][partition]
	if place.Offset < lo.Offset {
		s.skipped(topic, partition, place.Offset, lo.Offset)
	}
	s.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{
		topic: {partition: {Epoch: -1, Offset: lo.Offset}},
	})
	return nil
}

func (s *starts) skipped(topic string, partition int32, from, to int64) {
	s.o.Metrics.skippedRecords.Add(float64(to - from))
	s.o.Log.Warn("the topic's retention has removed records before they were read; going on at its start",
		"topic", topic, "partition", partition, "committed", from, "start", to, "skipped", to-from)
}
