package processor

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Before a worker joins, the transactions that the seats of the last run have
// left open are aborted, those of seats that nobody takes any more too.
func TestSeatsAreFencedFirst(t *testing.T) {
	w := newWorld(t, "processor: {workers: 1}", 1)
	m := w.member(t.TempDir())
	defer m.close()
	seats := m.o.Instance.seats(3)
	if err := m.o.Instance.hold(seats); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, seat := range seats {
		ids = append(ids, m.o.transactionalID(seat))
		w.leaveOpen(m.o.transactionalID(seat), partition{"impressions", 0})
	}
	if err := m.takeSeats(t.Context()); err != nil {
		t.Fatal(err)
	}
	described, err := kadm.NewClient(w.client).DescribeTransactions(t.Context(), ids...)
	if err != nil {
		t.Fatal(err)
	}
	for id, txn := range described {
		if txn.Err != nil || txn.State == "Ongoing" {
			t.Errorf("the transaction of %s is %s, %v", id, txn.State, txn.Err)
		}
	}
	if len(described) != len(ids) || !slices.Equal(m.o.Instance.held, seats[:1]) {
		t.Errorf("%d transactions, the seats %v are held", len(described), m.o.Instance.held)
	}
}

// A transaction that a worker has left open, with offsets in it, does not hold
// up who goes on with its tasks: it is aborted at once or, where nobody may do
// that, when it times out. This holds too for a worker whose first transaction
// it is, of tasks that were another's before.
func TestOpenTransactionHoldsNobodyUp(t *testing.T) {
	crash := func(p *process) error { p.cable.sever(); return errCrash }
	elsewhere := func(b *bubble, p *process) {
		b.kill(p)
		if err := b.start(b.t.TempDir(), nil).leave(b.t.Context(), p.o.Instance.held); err != nil {
			b.t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		at     func(p *process) error
		after  func(b *bubble, p *process)
		within time.Duration
	}{
		"the worker takes its seat again":    {func(*process) error { return errRelearned }, func(*bubble, *process) {}, 5 * time.Second},
		"killed, and back on its folder":     {crash, func(b *bubble, p *process) { b.kill(p); b.start(p.dir, nil) }, 5 * time.Second},
		"killed, and its tasks go elsewhere": {crash, elsewhere, 5 * time.Second},
		"and who takes them can't fence it": {crash, func(b *bubble, p *process) {
			id := p.o.transactionalID(p.o.Instance.Name)
			b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, TopLevel: true, Err: kerr.TransactionalIDAuthorizationFailed, Count: -1,
				When: func(r kmsg.Request) bool { return *r.(*kmsg.InitProducerIDRequest).TransactionalID == id }})
			elsewhere(b, p)
		}, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oneWorker, map[string]int32{"b": 5}, func(b *bubble) {
				in := newInput(b, 3)
				in.put(60)
				before := b.start(b.t.TempDir(), func(p *process) { p.o.Leave = true })
				b.caughtUp(b.t.Context())
				if err := b.end(before); err != nil {
					b.t.Error(err)
				}
				var open atomic.Bool
				met := make(chan struct{})
				p := b.start(b.t.TempDir(), func(p *process) {
					p.o.at = func(_ int, at boundary) error {
						if at != offsetsSent || !open.CompareAndSwap(false, true) {
							return nil
						}
						close(met)
						return c.at(p)
					}
				})
				until(b.t, "its tasks are restored", p.Ready)
				in.put(60)
				<-met
				begun := time.Now()
				c.after(b, p)
				b.caughtUp(b.t.Context())
				if took := time.Since(begun); took > c.within {
					b.t.Errorf("it took %s", took)
				}
				b.settle()
				b.check()
			})
		})
	}
}

// Whoever takes a task fences nobody who is alive: neither the member that had
// it before, nor a worker of the same process that has yet to join.
func TestLivingAreNotFenced(t *testing.T) {
	inBubble(t, twoWorkers, map[string]int32{"b": 5}, func(b *bubble) {
		taken := b.takenIDs()
		in := newInput(b, 5)
		in.put(60)
		p := b.start(b.t.TempDir(), func(p *process) { p.o.Leave = true })
		b.caughtUp(b.t.Context())
		other := b.start(b.t.TempDir(), nil)
		for range 10 {
			in.put(20)
			b.pass(time.Second)
		}
		for id, n := range taken() {
			if n != 1 {
				b.t.Errorf("the transactional id %s was taken %d times beside living members", id, n)
			}
		}
		b.kill(other)
		b.pass(10 * time.Second)
		if err := b.end(p); err != nil {
			b.t.Error(err)
		}
		taken()
		late := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.CoordinatorLoadInProgress, Count: -1,
			When: func(r kmsg.Request) bool { return *r.(*kmsg.JoinGroupRequest).InstanceID == p.o.Instance.seat(1) }})
		b.start(p.dir, nil)
		b.pass(5 * time.Second)
		late.Remove()
		in.put(60)
		b.settle()
		b.check()
		for id, n := range taken() { // at the start, and by its worker
			if n != 2 || late.Hits() == 0 {
				b.t.Errorf("the transactional id %s was taken %d times beside a worker that joined late", id, n)
			}
		}
	})
}

// takenIDs counts how often each transactional id is taken, from one call of the
// returned function to the next.
func (b *bubble) takenIDs() func() map[string]int {
	var mu sync.Mutex
	taken := map[string]int{}
	b.cluster.ControlKey(kmsg.InitProducerID.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		if id := r.(*kmsg.InitProducerIDRequest).TransactionalID; id != nil {
			mu.Lock()
			defer mu.Unlock()
			taken[*id]++
		}
		return nil, nil, false
	})
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		before := taken
		taken = map[string]int{}
		return before
	}
}
