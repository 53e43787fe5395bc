package processor

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
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
