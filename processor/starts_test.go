package processor

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that can't tell for the moment where a partition starts and ends, as
// while its leader moves, does not make the group skip what it has not read.
func TestBoundsThatAreNotToldSkipNothing(t *testing.T) {
	w, c := newFaultyWorld(t, "", 1)
	dir := t.TempDir()
	for i := range 10 {
		w.put(w.webhook(fmt.Sprintf("u%d", i), "f", "on", 0))
	}
	w.member(dir).drain()
	for i := range 10 {
		w.put(w.webhook(fmt.Sprintf("u%d", i), "f", "off", 10))
	}
	var refused atomic.Int32
	c.ControlKey(kmsg.ListOffsets.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.ListOffsetsRequest)
		if req.IsolationLevel == 1 || len(req.Topics) != 2 || refused.Load() >= 2 {
			return nil, nil, false
		}
		refused.Add(1)
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, rt := range req.Topics {
			topic := kmsg.NewListOffsetsResponseTopic()
			topic.Topic = rt.Topic
			for _, rp := range rt.Partitions {
				p := kmsg.NewListOffsetsResponseTopicPartition()
				p.Partition, p.Offset, p.ErrorCode = rp.Partition, -1, kerr.OffsetNotAvailable.Code
				topic.Partitions = append(topic.Partitions, p)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	m := w.member(dir)
	ctx := t.Context()
	done := make(chan error, 1)
	stop := runMember(ctx, m, done)
	until(t, "the bounds are refused", func() bool { return refused.Load() >= 2 })
	w.put(w.webhook("last", "f", "on", 0))
	until(t, "the last one is out", func() bool { return len(w.changes()["user/last/f"]) == 1 })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	m.close()
	for i := range 10 {
		if got := w.changes()[fmt.Sprintf("user/u%d/f", i)]; len(got) != 2 {
			t.Errorf("u%d has the changes %v", i, got)
		}
	}
}

func runMember(ctx context.Context, m *member, done chan<- error) func() {
	ctx, stop := context.WithCancel(ctx)
	go func() { done <- m.Run(ctx) }()
	return stop
}

// Two members that come together start at the latest record, also when one of
// them has committed its starts before the other looks.
func TestLatestWithTwoMembers(t *testing.T) {
	w, _ := newFaultyWorld(t, "sources: [{topic: impressions, from: latest}]\n", 4)
	for i := range 20 {
		w.put(w.webhook(fmt.Sprintf("u%d", i), "f", "on", 0))
	}
	first, second := w.member(t.TempDir()), w.member(t.TempDir())
	defer first.close()
	defer second.close()
	// The group exists, as it does for a member that asks.
	inbox := kadm.Offsets{}
	inbox.AddOffset(w.topics.Inbox.Name, 0, 0, -1)
	if err := kadm.NewClient(w.client).CommitAllOffsets(t.Context(), w.cfg.Group(), inbox); err != nil {
		t.Fatal(err)
	}
	starts := func(m *member, partitions ...int32) map[int32]int64 {
		client, err := kgo.NewClient(append([]kgo.Opt{kgo.ConsumerGroup(w.cfg.Group()), kgo.ConsumeTopics("impressions"), kgo.DisableAutoCommit()}, w.connect...)...)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		until(t, "it is a member", func() bool { _, generation := client.GroupMetadata(); return generation > 0 })
		worker := m.workers[0]
		worker.renew()
		producer, err := kgo.NewClient(worker.producerOptions()...)
		if err != nil {
			t.Fatal(err)
		}
		defer producer.Close()
		l := &ledger{group: w.cfg.Group(), producer: producer, consumer: client, joined: make(chan struct{}), notes: map[partition]string{}}
		close(l.joined)
		s := newStarts(&m.o, l)
		ask := map[int32]kgo.Offset{}
		for _, p := range partitions {
			ask[p] = kgo.NewOffset().AtStart()
		}
		got, err := s.adjust(t.Context(), map[string]map[int32]kgo.Offset{"impressions": ask})
		if err != nil {
			t.Fatal(err)
		}
		at := map[int32]int64{}
		for p, o := range got["impressions"] {
			at[p] = o.EpochOffset().Offset
		}
		return at
	}
	ends, err := kadm.NewClient(w.client).ListEndOffsets(t.Context(), "impressions")
	if err != nil {
		t.Fatal(err)
	}
	got := starts(first, 0, 1)
	for p, at := range starts(second, 2, 3) {
		got[p] = at
	}
	for p, at := range got {
		if want, _ := ends.Lookup("impressions", p); at != want.Offset {
			t.Errorf("partition %d starts at %d, want %d", p, at, want.Offset)
		}
	}
}
