package processor

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Where a source has lost its end, reading goes on where the log parts from what
// was read, not at its start.
func TestSourceLosesItsEnd(t *testing.T) {
	const lost = 3 // from here on
	w, c := newFaultyWorld(t, "", 1)
	var armed atomic.Bool
	c.ControlKey(kmsg.OffsetForLeaderEpoch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if !armed.Load() {
			return nil, nil, false
		}
		return partedAt(r.(*kmsg.OffsetForLeaderEpochRequest), lost), nil, true
	})
	topics, err := kadm.NewClient(w.client).ListTopics(t.Context(), "impressions")
	if err != nil {
		t.Fatal(err)
	}
	m := w.member("")
	defer m.close()
	done := make(chan error, 1)
	stop := runMember(t.Context(), m, done)
	for range 5 {
		w.put(&kgo.Record{Topic: "impressions", Value: []byte("{"), Timestamp: time.UnixMilli(noon)})
	}
	letters := func() int { texts, _ := w.letters(); return len(texts) }
	until(t, "all are refused", func() bool { return letters() == 5 })
	armed.Store(true)
	hits := once(c, kmsg.Fetch, func(r kmsg.Request) kmsg.Response {
		req := r.(*kmsg.FetchRequest)
		if req.IsolationLevel == 0 || req.SessionID == 0 {
			return nil
		}
		return fencedFetch(topics["impressions"].ID, req)
	})
	w.put(w.webhook("u", "f", "on", 0))
	until(t, "the loss is met", func() bool { return hits.Load() > 0 })
	w.put(w.webhook("u", "f", "off", 1))
	until(t, "the last change is out", func() bool { return len(w.changes()["user/u/f"]) == 2 })
	if n := letters(); n > 5+5-lost {
		t.Errorf("%d dead letters, want those from offset %d on again", n, lost)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// partedAt says that an epoch ended at an offset.
func partedAt(req *kmsg.OffsetForLeaderEpochRequest, end int64) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, rt := range req.Topics {
		t := kmsg.NewOffsetForLeaderEpochResponseTopic()
		t.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			p.Partition, p.LeaderEpoch, p.EndOffset = rp.Partition, rp.LeaderEpoch, end
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// fencedFetch says that another leader has come.
func fencedFetch(id kadm.TopicID, req *kmsg.FetchRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	resp.SessionID = req.SessionID
	t := kmsg.NewFetchResponseTopic()
	t.TopicID = id
	p := kmsg.NewFetchResponseTopicPartition()
	p.ErrorCode = kerr.FencedLeaderEpoch.Code
	t.Partitions = append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
	return resp
}
