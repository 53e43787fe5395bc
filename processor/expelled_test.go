package processor

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
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
