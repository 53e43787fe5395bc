package processor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// newFaultyWorld is a world whose broker's answers a test may replace.
func newFaultyWorld(t *testing.T, yaml string, partitions int32) (*world, *kfake.Cluster) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return newWorldAt(t, yaml, partitions, c.ListenAddrs()), c
}

// once answers the first request of a kind with an error that fn builds; fn
// returns nil to let a request pass uncounted.
func once(c *kfake.Cluster, key kmsg.Key, fn func(kmsg.Request) kmsg.Response) *atomic.Int32 {
	var hits atomic.Int32
	done := false
	c.ControlKey(key.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := fn(req)
		if resp == nil || done {
			return nil, nil, false
		}
		done = true
		hits.Add(1)
		return resp, nil, true
	})
	return &hits
}

// In each of these a transaction fails; its input is read again, nothing is
// sent twice and nothing is lost.
func TestFailedTransactions(t *testing.T) {
	faults := map[string]func(w *world, c *kfake.Cluster) *atomic.Int32{
		"offsets are refused for a rebalance": func(_ *world, c *kfake.Cluster) *atomic.Int32 {
			return once(c, kmsg.TxnOffsetCommit, func(r kmsg.Request) kmsg.Response {
				return refuseOffsets(r.(*kmsg.TxnOffsetCommitRequest), kerr.IllegalGeneration)
			})
		},
		"the producer is fenced at the end": func(_ *world, c *kfake.Cluster) *atomic.Int32 {
			return once(c, kmsg.EndTxn, func(r kmsg.Request) kmsg.Response {
				resp := r.ResponseKind().(*kmsg.EndTxnResponse)
				resp.ErrorCode = kerr.ProducerFenced.Code
				return resp
			})
		},
		"a change can't be produced": func(w *world, c *kfake.Cluster) *atomic.Int32 {
			return once(c, kmsg.Produce, func(r kmsg.Request) kmsg.Response {
				return refuseProduce(w, r.(*kmsg.ProduceRequest), w.topics.Traits.Name, kerr.InvalidProducerEpoch)
			})
		},
		"the changelog can't be produced": func(w *world, c *kfake.Cluster) *atomic.Int32 {
			return once(c, kmsg.Produce, func(r kmsg.Request) kmsg.Response {
				return refuseProduce(w, r.(*kmsg.ProduceRequest), w.topics.Changelog.Name, kerr.InvalidProducerEpoch)
			})
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			w, c := newFaultyWorld(t, "", 2)
			var records []*kgo.Record
			for i := range 50 {
				user := fmt.Sprintf("u%d", i)
				records = append(records, w.webhook(user, "f", "on", 0), w.webhook(user, "f", "off", 10))
			}
			w.put(records...)
			hits := fault(w, c)
			m := w.member("")
			m.drain()
			if hits.Load() == 0 {
				t.Fatal("the fault was never met")
			}
			for user, values := range w.changes() {
				if !slices.Equal(values, []string{`"on"`, `"off"`}) {
					t.Errorf("%s has the changes %v", user, values)
				}
			}
			if n := m.impressions("impressions", "change"); n != 100 {
				t.Errorf("%d changes are counted, want 100", n)
			}
		})
	}
}

func refuseOffsets(req *kmsg.TxnOffsetCommitRequest, err *kerr.Error) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	for _, rt := range req.Topics {
		t := kmsg.NewTxnOffsetCommitResponseTopic()
		t.Topic, t.TopicID = rt.Topic, rt.TopicID
		for _, rp := range rt.Partitions {
			p := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			p.Partition, p.ErrorCode = rp.Partition, err.Code
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// refuseProduce answers a request that produces to a topic, alone or with
// others, and lets others pass.
func refuseProduce(w *world, req *kmsg.ProduceRequest, topic string, err *kerr.Error) kmsg.Response {
	ids := map[[16]byte]string{}
	details, lookupErr := kadm.NewClient(w.client).ListTopics(context.Background(), topic)
	if lookupErr != nil {
		return nil
	}
	for _, d := range details {
		ids[d.ID] = d.Topic
	}
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	found := false
	for _, rt := range req.Topics {
		found = found || rt.Topic == topic || ids[rt.TopicID] == topic
		t := kmsg.NewProduceResponseTopic()
		t.Topic, t.TopicID = rt.Topic, rt.TopicID
		for _, rp := range rt.Partitions {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode = rp.Partition, err.Code
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	if !found {
		return nil
	}
	return resp
}

// What the source's retention has removed is counted, and the rest is read.
func TestRetentionOvertakes(t *testing.T) {
	w := newWorld(t, "", 1)
	dir := t.TempDir()
	w.put(w.webhook("u", "f", "v0", 0))
	w.member(dir).drain()
	for i := range 9 {
		w.put(w.webhook("u", "f", fmt.Sprintf("v%d", i+1), int64(i+1)))
	}
	deleted := kadm.Offsets{}
	deleted.AddOffset("impressions", 0, 6, -1)
	if _, err := kadm.NewClient(w.client).DeleteRecords(t.Context(), deleted); err != nil {
		t.Fatal(err)
	}
	m := w.member(dir)
	m.drain()
	if got := strings.Join(w.changes()["user/u/f"], " "); got != `"v0" "v6" "v7" "v8" "v9"` {
		t.Errorf("the changes are %s", got)
	}
	if n := gauge(t, m, "traitstream_skipped_records_total"); n != 5 {
		t.Errorf("%v records count as skipped, want 5", n)
	}
}

// The broker says in the middle of a run that a place is gone.
func TestOutOfRangeWhileRunning(t *testing.T) {
	w, c := newFaultyWorld(t, "", 1)
	m := w.member("")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	w.put(w.webhook("u", "f", "v0", 0))
	until(t, "the first change is out", func() bool { return len(w.changes()) == 1 })
	hits := once(c, kmsg.Fetch, func(r kmsg.Request) kmsg.Response {
		req := r.(*kmsg.FetchRequest)
		if req.IsolationLevel == 0 || len(req.Topics) == 0 {
			return nil
		}
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, rt := range req.Topics {
			t := kmsg.NewFetchResponseTopic()
			t.Topic, t.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				p := kmsg.NewFetchResponseTopicPartition()
				p.Partition, p.ErrorCode = rp.Partition, kerr.OffsetOutOfRange.Code
				t.Partitions = append(t.Partitions, p)
			}
			resp.Topics = append(resp.Topics, t)
		}
		return resp
	})
	w.put(w.webhook("u", "f", "v1", 1))
	until(t, "the fault is met", func() bool { return hits.Load() > 0 })
	w.put(w.webhook("u", "f", "v2", 2))
	until(t, "the last change is out", func() bool { return len(w.changes()["user/u/f"]) == 3 })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	m.close()
}

// A source that is read from its latest record, or from a time, keeps that
// start over a restart that comes before its first commit.
func TestStart(t *testing.T) {
	for from, want := range map[string]string{
		"latest":                   `"v3"`,
		"2026-03-02T12:00:00.001Z": `"v1" "v2" "v3"`,
		"earliest":                 `"v0" "v1" "v2" "v3"`,
	} {
		t.Run(from, func(t *testing.T) {
			w := newWorld(t, fmt.Sprintf("sources: [{topic: impressions, from: %q}]", from), 1)
			dir := t.TempDir()
			for i := range 3 {
				w.put(w.webhook("u", "f", fmt.Sprintf("v%d", i), int64(i)))
			}
			m := w.member(dir)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- m.Run(ctx) }()
			until(t, "the member is ready", m.Ready)
			until(t, "the start is settled", func() bool {
				at, err := m.o.Measure(ctx)
				if err != nil {
					return false
				}
				c, ok := at.Committed.Lookup("impressions", 0)
				return ok && c.At >= 0
			})
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			m.close()
			w.put(w.webhook("u", "f", "v3", 3))
			w.member(dir).drain()
			if got := strings.Join(w.changes()["user/u/f"], " "); got != want {
				t.Errorf("the changes are %s, want %s", got, want)
			}
		})
	}
}

// A broker that refuses everything for a while is waited for.
func TestStopIsQuick(t *testing.T) {
	w := newWorld(t, "", 2)
	m := w.member("")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	until(t, "the member is ready", m.Ready)
	start := time.Now()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	m.close()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("stopping took %s", took)
	}
}

// gauge returns the value of a metric without labels.
func gauge(t *testing.T, m *member, name string) float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
