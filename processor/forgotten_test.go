package processor

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A member that the group has forgotten while it joined, and while it stood still
// with a batch, commits nothing of that batch under its new membership: others
// have had its tasks meanwhile.
func TestForgottenWithABatch(t *testing.T) {
	inBubble(t, oneWorker, map[string]int32{"b": 5}, func(b *bubble) {
		b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Err: kerr.GroupAuthorizationFailed, Count: -1})
		in := newInput(b, 3)
		in.put(60)
		var armed atomic.Bool
		met := make(chan struct{})
		p := b.start(b.t.TempDir(), func(p *process) {
			p.o.at = func(_ int, at boundary) error {
				if at != merged || !p.workers[0].hasChanges() || !armed.CompareAndSwap(true, false) {
					return nil
				}
				close(met)
				return b.pause(9 * time.Second)
			}
		})
		until(b.t, "it is at work", p.Ready)
		joins := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.CoordinatorLoadInProgress, Count: -1,
			When: func(r kmsg.Request) bool {
				return strings.HasPrefix(r.(*kmsg.JoinGroupRequest).MemberID, p.o.Instance.Name)
			}})
		q := b.start(b.t.TempDir(), nil)
		until(b.t, "it joins", func() bool { return joins.Hits() > 0 })
		armed.Store(true)
		in.put(60)
		<-met
		if err := q.leave(b.t.Context(), p.o.Instance.held); err != nil {
			b.t.Error(err)
		}
		b.pass(3 * time.Second)
		if got := q.numbers(); len(got) != 3 || !q.Ready() {
			b.t.Errorf("the other has the tasks %v", got)
		}
		joins.Remove()
		b.settle()
		b.check()
	})
}
