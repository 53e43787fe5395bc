package processor

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/trait"
)

func stateKey(user string) trait.Key {
	return trait.Key{Identity: impression.User, User: []byte(user), Trait: []byte("f")}
}

// logged is a changelog record of task 0.
func (w *world) logged(user string) *kgo.Record {
	return &kgo.Record{
		Topic: w.topics.Changelog.Name, Key: schemas.AppendStateKey(nil, stateKey(user)),
		Value: schemas.AppendRecord(nil, &trait.Record{Seen: trait.Register{SeenAt: noon, Treatment: []byte("on"), Value: []byte(`"on"`)}}),
	}
}

// has tells whether a user of task 0 is in the state.
func (m *member) has(user string) bool {
	m.w.t.Helper()
	rec, err := m.store.Get(0, stateKey(user))
	if err != nil {
		m.w.t.Fatal(err)
	}
	return rec != nil
}

// What the owner before commits while a restore waits for its transaction is
// restored too: the changelog's end is looked up when the wait is over.
func TestRestoreLooksUpTheEndLast(t *testing.T) {
	w, c := newFaultyWorld(t, "", 1)
	m := w.member("")
	defer m.close()
	w.commit(partition{"impressions", 0}, 0, "")
	open := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.UnstableOffsetCommit, Count: -1,
		When: func(r kmsg.Request) bool { return r.(*kmsg.OffsetFetchRequest).RequireStable }})
	done := make(chan error, 1)
	go func() { done <- m.restorer.restore(t.Context(), 0) }()
	until(t, "the restore asks for stable offsets, or ends", func() bool { return open.Hits() > 0 || len(done) > 0 })
	if open.Hits() == 0 {
		t.Fatal("the restore did not wait for open transactions")
	}
	w.put(w.logged("u"))
	open.Remove()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !m.has("u") {
		t.Error("what was committed meanwhile is not restored")
	}
}

// EndTxn is answered before the markers are written, so what has committed may
// lie behind the last stable offset for a while. It is restored all the same.
func TestRestoreWhileMarkersLag(t *testing.T) {
	w, c := newFaultyWorld(t, "", 1)
	m := w.member("")
	defer m.close()
	w.put(w.logged("u"), w.logged("v"))
	c.ControlKey(kmsg.ListOffsets.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.ListOffsetsRequest)
		if req.IsolationLevel == 0 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, rt := range req.Topics {
			topic := kmsg.NewListOffsetsResponseTopic()
			topic.Topic = rt.Topic
			for _, rp := range rt.Partitions {
				p := kmsg.NewListOffsetsResponseTopicPartition()
				p.Partition, p.Offset = rp.Partition, 1
				topic.Partitions = append(topic.Partitions, p)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	if err := m.restorer.restore(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if !m.has("u") || !m.has("v") {
		t.Error("the restore has ended at the last stable offset")
	}
}

// While a task's state is restored its inputs are not read, and the worker's
// other tasks go on.
func TestInputsWaitForTheRestore(t *testing.T) {
	inBubble(t, oneWorker, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 11)
		in.put(100)
		first := b.start(b.t.TempDir(), func(p *process) { p.o.Leave = true })
		b.caughtUp(b.t.Context())
		if err := b.end(first); err != nil {
			b.t.Fatal(err)
		}
		const held = 1
		hold := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: b.topics.Changelog.Name, Partitions: []int32{held},
			Err: kerr.NotLeaderForPartition, Count: -1})
		var others atomic.Int32
		b.start(b.t.TempDir(), func(p *process) {
			p.o.at = func(_ int, at boundary) error {
				isHeld := func(s span) bool { return s.number == held }
				switch {
				case at == polled && p.workers[0].tasks.owns(held) == nil && slices.ContainsFunc(p.workers[0].batch.spans, isHeld):
					return fmt.Errorf("task %d is read before its state is there", held)
				case at == applied && hold.Hits() > 0:
					others.Add(1)
				}
				return nil
			}
		})
		for range 10 {
			in.put(20)
			b.pass(time.Second)
		}
		if others.Load() == 0 {
			b.t.Error("the other tasks stood still")
		}
		hold.Remove()
		b.settle()
		b.check()
	})
}
