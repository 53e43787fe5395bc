package processor

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/impression"
	"traitstream/trait"
)

// A batch writes for tasks that are here, restored, and of which it has read
// something: without an offset of the task's own the transaction would not be
// fenced.
func TestTouched(t *testing.T) {
	for name, c := range map[string]struct {
		read []int32
		task *task
		want error
	}{
		"read and here":             {[]int32{0, 1}, &task{number: 1, ready: true}, nil},
		"nothing is read of it":     {[]int32{0}, &task{number: 1, ready: true}, errNotOwner},
		"it is not here":            {[]int32{0, 1}, nil, errNotOwner},
		"its restore has not ended": {[]int32{0, 1}, &task{number: 1}, errNotOwner},
	} {
		t.Run(name, func(t *testing.T) {
			m := newWorld(t, "", 2).member("")
			defer m.close()
			w := m.workers[0]
			w.renew()
			if c.task != nil {
				w.tasks.owned[1] = c.task
			}
			for _, number := range c.read {
				w.batch.spans = append(w.batch.spans, span{partition: partition{"impressions", number}})
			}
			slot := w.state.Want(1, trait.Key{Identity: impression.User, User: []byte("u"), Trait: []byte("f")})
			if err := w.state.Load(); err != nil {
				t.Fatal(err)
			}
			w.state.Touch(slot)
			touched, err := w.touched()
			if !errors.Is(err, c.want) || err == nil && (len(touched) != 1 || touched[0] != c.task) {
				t.Errorf("it touches %v, %v", touched, err)
			}
		})
	}
}

// The group's generation keeps out a member that was expelled while it stood
// still with a batch that another one has read since, also where nobody could
// tell that it is gone, and so nobody has fenced its producer.
func TestGenerationFences(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		unknown := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Err: kerr.GroupAuthorizationFailed, Count: -1})
		blind := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
			req := r.(*kmsg.TxnOffsetCommitRequest)
			return req.MemberID == "" || req.Generation < 0 || req.InstanceID == nil
		}})
		meet(b, merged, incidents["it stands still for longer than its session, and others take over"], 3)
		if n := blind.Hits(); n > 0 {
			t.Errorf("%d transactions do not say by which member, of which generation, they are", n)
		}
		if unknown.Hits() == 0 {
			t.Error("nobody has looked for dead members")
		}
	})
}

// So it does where nothing was read: a tick that an expelled member was about to
// commit goes with its transaction.
func TestTickIsFenced(t *testing.T) {
	inBubble(t, expiryYAML, nil, func(b *bubble) {
		for key, err := range map[kmsg.Key]*kerr.Error{
			kmsg.DescribeGroups: kerr.GroupAuthorizationFailed, // nobody knows of dead members, to fence them
			kmsg.DeleteRecords:  kerr.PolicyViolation,          // the inbox is not emptied
		} {
			b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: err, Count: -1})
		}
		var stand atomic.Bool
		var written []time.Time
		met, goOn := make(chan struct{}), make(chan struct{})
		p := b.start(b.t.TempDir(), func(p *process) {
			p.o.at = func(n int, at boundary) error {
				if at != flushed || !stand.CompareAndSwap(true, false) {
					return nil
				}
				for _, r := range p.workers[n].out.records {
					written = append(written, r.Timestamp)
				}
				close(met)
				<-goOn
				return nil
			}
		})
		b.put(b.live("u", "f", "on", 0))
		b.pass(20 * time.Second)
		stand.Store(true)
		<-met
		if len(written) != 1 {
			b.t.Fatalf("the transaction has %d records, want one tick", len(written))
		}
		q := b.start(b.t.TempDir(), nil)
		if err := q.leave(b.t.Context(), p.o.Instance.held); err != nil {
			b.t.Error(err)
		}
		until(b.t, "another worker has the task", func() bool { return q.workers[0].tasks.owns(0) != nil })
		close(goOn)
		b.pass(time.Second)
		inbox := b.read(b.topics.Inbox)[0]
		if len(inbox) == 0 || slices.ContainsFunc(inbox, func(r *kgo.Record) bool { return r.Timestamp.Equal(written[0]) }) {
			b.t.Errorf("of %d records in the inbox one is the tick of the expelled worker", len(inbox))
		}
		b.settle()
		b.check(b.dirs...)
	})
}
