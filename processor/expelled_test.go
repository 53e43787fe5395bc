package processor

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A member that the group expels while its transaction is open (it was stopped
// for longer than the session's timeout) comes back by itself.
func TestExpelledInAnOpenTransaction(t *testing.T) {
	w, c := newFaultyWorld(t, "processor: {session_timeout: 6s, commit_interval: 3s}\n", 1)
	w.put(w.webhook("u", "f", "on", 0))
	var expelled, beats, commits atomic.Int32
	c.ControlKey(kmsg.Heartbeat.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if expelled.Load() == 0 || beats.Add(1) > 1 {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = kerr.UnknownMemberID.Code
		return resp, nil, true
	})
	c.ControlKey(kmsg.TxnOffsetCommit.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if expelled.Load() == 0 || commits.Add(1) > 1 {
			return nil, nil, false
		}
		return refuseOffsets(r.(*kmsg.TxnOffsetCommitRequest), kerr.UnknownMemberID), nil, true
	})
	m := w.member("")
	defer m.close()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	until(t, "the first change is out", func() bool { return len(w.changes()["user/u/f"]) == 1 })
	expelled.Store(1)
	w.put(w.webhook("u", "f", "other", 5))
	until(t, "the commit is refused", func() bool { return commits.Load() > 0 })
	w.put(w.webhook("u", "f", "off", 10))
	until(t, "the other changes are out", func() bool { return len(w.changes()["user/u/f"]) == 3 })
}

// A member that the group has forgotten joins anew while it goes on with what
// it has. What it commits meanwhile is refused in the name of its own new
// membership, which is not another process's.
func TestForgottenWhileJoining(t *testing.T) {
	yaml := strings.Replace(bubbleYAML, "{session_timeout", "{workers: 1, session_timeout", 1)
	inBubble(t, yaml, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 3)
		p := b.start(b.t.TempDir(), nil)
		var slow atomic.Bool // the other one, so that the join has to wait
		b.start(b.t.TempDir(), func(q *process) {
			q.o.at = func(_ int, at boundary) error {
				if at == polled && slow.CompareAndSwap(true, false) {
					return b.pause(5 * time.Second)
				}
				return nil
			}
		})
		b.pass(5 * time.Second) // both have tasks
		b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.UnknownMemberID,
			When: func(r kmsg.Request) bool {
				return strings.HasPrefix(r.(*kmsg.JoinGroupRequest).MemberID, p.o.Instance.Name)
			}})
		slow.Store(true)
		in.put(100)
		b.pass(300 * time.Millisecond)
		if slow.Load() {
			b.t.Fatal("nobody keeps the group waiting")
		}
		b.start(b.t.TempDir(), nil)
		for range 10 {
			b.pass(400 * time.Millisecond)
			in.put(20)
		}
		b.settle()
		b.check()
	})
}
