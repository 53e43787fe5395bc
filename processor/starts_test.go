package processor

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

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
	ends, err := kadm.NewClient(w.client).ListEndOffsets(t.Context(), "impressions")
	if err != nil {
		t.Fatal(err)
	}
	l, leave := first.joins()
	got := first.starts(l, 0, 1)
	leave()
	l, leave = second.joins()
	defer leave()
	for p, at := range second.starts(l, 2, 3) {
		got[p] = at
	}
	for p, at := range got {
		if want, _ := ends.Lookup("impressions", p); at != want.Offset {
			t.Errorf("partition %d starts at %d, want %d", p, at, want.Offset)
		}
	}
}

// joins makes a client of the first worker a member of the group.
func (m *member) joins() (l *ledger, leave func()) {
	t := m.w.t
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.ConsumerGroup(m.w.cfg.Group()), kgo.ConsumeTopics("impressions"), kgo.DisableAutoCommit()}, m.w.connect...)...)
	if err != nil {
		t.Fatal(err)
	}
	for generation := int32(0); generation <= 0; {
		if !sleep(t.Context(), 10*time.Millisecond) {
			t.Fatal("it is no member")
		}
		_, generation = client.GroupMetadata()
	}
	m.workers[0].renew()
	producer, err := kgo.NewClient(m.workers[0].producerOptions(true)...)
	if err != nil {
		t.Fatal(err)
	}
	l = &ledger{group: m.w.cfg.Group(), producer: producer, consumer: client, joined: make(chan struct{}), notes: map[partition]string{}}
	close(l.joined)
	l.assigned(client)
	return l, func() { client.Close(); producer.Close() }
}

// starts decides where some partitions of the first source begin.
func (m *member) starts(l *ledger, partitions ...int32) map[int32]int64 {
	ask := map[int32]kgo.Offset{}
	for _, p := range partitions {
		ask[p] = kgo.NewOffset().AtStart()
	}
	got, err := newStarts(&m.o, l).adjust(m.w.t.Context(), map[string]map[int32]kgo.Offset{"impressions": ask})
	if err != nil {
		m.w.t.Error(err)
	}
	at := map[int32]int64{}
	for p, o := range got["impressions"] {
		at[p] = o.EpochOffset().Offset
	}
	return at
}

// Of two members that look at the same time, neither undoes what the other has
// processed meanwhile.
func TestLatestAtTheSameTime(t *testing.T) {
	w, c := newFaultyWorld(t, "sources: [{topic: impressions, from: latest}]\n", 4)
	for i := range 20 {
		w.put(w.webhook(fmt.Sprintf("u%d", i), "f", "on", 0))
	}
	first, second := w.member(t.TempDir()), w.member(t.TempDir())
	defer first.close()
	defer second.close()
	other, err := kgo.NewClient(w.connect...)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	second.o.Client = other // the first's answers must not wait behind its own
	looked, goOn := make(chan struct{}), make(chan struct{})
	looks := 0
	var free atomic.Bool
	c.ControlKey(kmsg.ListOffsets.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.ListOffsetsRequest)
		if len(req.Topics) != 1 || req.Topics[0].Partitions[0].Timestamp != -1 {
			return nil, nil, false
		}
		if looks++; looks != 2 || free.Load() { // the second's, after it has looked for what is settled
			return nil, nil, false
		}
		c.SleepControl(func() { close(looked); <-goOn })
		return nil, nil, false
	})
	theirs, leave := second.joins()
	defer leave()
	done := make(chan map[int32]int64)
	go func() { done <- second.starts(theirs, 2, 3) }()
	select {
	case <-looked:
	case <-time.After(time.Second): // it waits for the first
		free.Store(true)
	}
	ours, leaveToo := first.joins()
	defer leaveToo()
	at := first.starts(ours, 0, 1)
	if err := ours.commit(t.Context(), []span{{partition{"impressions", 0}, kgo.EpochOffset{Epoch: -1, Offset: at[0] + 3}}}); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	<-done
	known, err := kadm.NewClient(w.client).FetchOffsetsForTopics(t.Context(), w.cfg.Group(), "impressions")
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := known.Lookup("impressions", 0); o.At != at[0]+3 {
		t.Errorf("the first goes on at %d, want %d", o.At, at[0]+3)
	}
}
