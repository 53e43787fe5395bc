package processor

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A worker that the group has given up, and that has not heard of it, loses a
// task in the middle of its restore to another worker of its process. That ends
// neither of them.
func TestRestoreIsOvertakenWithinAProcess(t *testing.T) {
	yaml := strings.Replace(bubbleYAML, "{session_timeout", "{workers: 2, session_timeout", 1)
	for range 8 { // what the worker hears of first is up to chance
		inBubble(t, yaml, map[string]int32{"b": 5}, func(b *bubble) {
			in := newInput(b, 9)
			in.put(60)
			restores := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.UnstableOffsetCommit, Count: -1})
			p := b.start(b.t.TempDir(), nil)
			b.pass(3 * time.Second)
			first := b.memberOf(p.workers[0].seatName)
			deaf := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Count: -1, Err: kerr.NotCoordinator, TopLevel: true,
				When: func(r kmsg.Request) bool { return r.(*kmsg.HeartbeatRequest).MemberID == first }})
			b.forget(p.workers[0].seatName)
			b.pass(5 * time.Second)
			select {
			case <-p.ended:
				b.t.Fatalf("the process has ended: %v", p.err)
			default:
			}
			deaf.Remove()
			restores.Remove()
			b.settle()
			b.check()
		})
	}
}

// forget makes the group forget a member, as when its session ends.
func (b *bubble) forget(seat string) {
	b.t.Helper()
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = b.cfg.Group()
	leave.Members = []kmsg.LeaveGroupRequestMember{{InstanceID: &seat}}
	if _, err := leave.RequestWith(b.t.Context(), b.client); err != nil {
		b.t.Fatal(err)
	}
}

// memberOf returns the member's id that a seat has in the group.
func (b *bubble) memberOf(seat string) string {
	b.t.Helper()
	for _, m := range b.cluster.GroupInfo(b.cfg.Group()).Members {
		if m.InstanceID != nil && *m.InstanceID == seat {
			return m.MemberID
		}
	}
	b.t.Fatalf("nobody has seat %s; %s", seat, b.group())
	return ""
}
