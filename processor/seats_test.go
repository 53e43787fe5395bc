package processor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"traitstream/schemas"
)

// Of two processes on copies of one state folder the later one goes on, and the
// other ends with an error that names the folder.
func TestCopiedStateFolder(t *testing.T) {
	w := newWorld(t, "processor: {session_timeout: 6s}", 2)
	dir, copied := t.TempDir(), t.TempDir()
	w.put(w.webhook("u", "f", "v0", 0))
	w.member(dir).drain()
	name, err := os.ReadFile(filepath.Join(dir, "instance"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, "instance"), name, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	first, second := w.member(dir), w.member(copied)
	ended, goesOn := make(chan error, 1), make(chan error, 1)
	go func() { ended <- first.Run(ctx) }()
	until(t, "the first is at work", first.Ready)
	go func() { goesOn <- second.Run(ctx) }()
	until(t, "the second is at work", second.Ready)
	for i := 1; len(ended) == 0 && i < 1000; i++ { // the first learns of it when it commits or beats
		w.put(w.webhook("u", "f", "v1", 1))
		until(t, "somebody commits or ends", func() bool { return len(ended) > 0 || w.caughtUp() })
	}
	if err := <-ended; !errors.Is(err, errSeatTaken) {
		t.Errorf("the first ends with %v", err)
	}
	w.put(w.webhook("u", "f", "v2", 2))
	until(t, "the second has made the last change", func() bool {
		select {
		case err := <-goesOn:
			t.Fatalf("the second ends with %v", err)
		default:
		}
		c := w.changes()["user/u/f"]
		return len(c) > 1 && c[len(c)-1] == `"v2"`
	})
	stop()
	if err := <-goesOn; err != nil {
		t.Error(err)
	}
	first.close()
	second.close()
}

// caughtUp tells whether the group has committed all that stands in the source.
func (w *world) caughtUp() bool {
	o := Options{Fleet: *w.fleet()}
	m, err := o.Measure(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for p := range w.topics.Sources["impressions"].Partitions {
		if end, _ := m.End.Lookup("impressions", p); m.Place("impressions", p) < end.Offset {
			return false
		}
	}
	return true
}

// A process that comes back with fewer workers gives up the seats that it does
// not need, and has all tasks at once: nobody waits for a session to end.
func TestFewerWorkers(t *testing.T) {
	w := newWorld(t, "processor: {workers: 3, session_timeout: 4m}", 3)
	dir := t.TempDir()
	w.put(w.webhook("u", "f", "v0", 0))
	m := w.member(dir)
	if len(m.workers) != 3 {
		t.Fatalf("%d workers", len(m.workers))
	}
	m.drain()
	w.cfg.Processor.Workers = 1
	m = w.member(dir)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	until(t, "the only worker has all tasks", func() bool { return m.Ready() && len(m.numbers()) == 3 })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	m.close()
	if got := m.o.Instance.held; len(got) != 1 {
		t.Errorf("the seats %v are held", got)
	}
}

// Whoever takes a dead worker's task fences the transaction that it has left
// open, which would hold the task back until its timeout.
func TestDeadWorkerIsFenced(t *testing.T) {
	w := newWorld(t, "", 1)
	m := w.member("")
	w.commit(partition{"impressions", 0}, 0, schemas.OffsetNote{Owner: m.o.transactionalID("dead")}.String())
	w.leaveOpen(m.o.transactionalID("dead"), partition{"impressions", 0})
	w.put(w.webhook("u", "f", "v", 0))
	m.drain()
	if got := w.changes()["user/u/f"]; len(got) != 1 {
		t.Errorf("the changes are %v", got)
	}
}

// leaveOpen begins a transaction with an offset of the group and does not end it.
func (w *world) leaveOpen(transactionalID string, p partition) {
	w.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.TransactionalID(transactionalID), kgo.TransactionTimeout(30 * transactionTimeout),
		kgo.MaxVersions(kversion.V4_0_0()), // requests that name topics
	}, w.connect...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group = transactionalID, w.cfg.Group()
	if req.ProducerID, req.ProducerEpoch, err = cl.ProducerID(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset = p.number, 7
	rt := kmsg.NewTxnOffsetCommitRequestTopic()
	rt.Topic, rt.Partitions = p.topic, append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(w.t.Context(), cl)
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		w.t.Fatalf("leaving a transaction open: %v, %+v", err, resp)
	}
}
