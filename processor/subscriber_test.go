package processor

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
)

// subscriber reads the traits topic at read_committed while definitions change, and
// notes what there was when each change came.
type subscriber struct {
	b    *bubble
	last time.Time // when it has read before
	next map[int32]int64
	told map[int32][]received // by partition
}

// received is a record of the traits topic.
type received struct {
	*kgo.Record
	after, before time.Time           // it came
	ends          map[partition]int64 // of the sources when it had come
}

func newSubscriber(b *bubble) *subscriber {
	return &subscriber{b: b, last: time.Now(), next: map[int32]int64{}, told: map[int32][]received{}}
}

// read takes what has come since it has last read. Faults may meet it too: it then
// tries again.
func (s *subscriber) read() {
	s.b.t.Helper()
	for range 100 {
		now, all := time.Now(), map[int32][]*kgo.Record{}
		err := s.fetch(s.b.t.Context(), all)
		if err == nil {
			err = s.take(s.b.t.Context(), all)
		}
		if err == nil {
			s.last = now
			return
		}
		s.b.pass(100 * time.Millisecond)
	}
	s.b.t.Fatal("the traits topic can't be read")
}

// fetch reads what is decided: for the rest a subscriber would have to wait.
func (s *subscriber) fetch(ctx context.Context, all map[int32][]*kgo.Record) error {
	topic := s.b.topics.Traits.Name
	stable, err := kadm.NewClient(s.b.client).ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = stable.Error()
	}
	if err != nil {
		return err
	}
	for number, end := range stable[topic] {
		err := kafka.ReadPartition(ctx, s.b.client, topic, number, s.next[number], end.Offset, func(r *kgo.Record) error {
			all[number] = append(all[number], r)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// take notes what was read, which is older than what stands in the sources now.
func (s *subscriber) take(ctx context.Context, all map[int32][]*kgo.Record) error {
	ends := map[partition]int64{}
	for topic := range s.b.topics.Sources {
		logs, err := kafka.Logs(ctx, s.b.client, topic)
		if err != nil {
			return err
		}
		for number, log := range logs {
			ends[partition{topic, number}] = log.To
		}
	}
	for number, records := range all {
		for _, r := range records {
			s.told[number] = append(s.told[number], received{r, s.last, time.Now(), ends})
			s.next[number] = r.Offset + 1
		}
	}
	return nil
}
