package processor

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A static member that slept through a rebalance, but not through its session,
// is told that its generation is gone. It comes back by itself.
func TestGenerationIsGone(t *testing.T) {
	w, c := newFaultyWorld(t, "processor: {session_timeout: 6s}\n", 1)
	w.put(w.webhook("u", "f", "on", 0))
	var asleep, hits atomic.Int32
	c.ControlKey(kmsg.Heartbeat.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if asleep.Load() == 0 || hits.Add(1) > 1 {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = kerr.IllegalGeneration.Code
		return resp, nil, true
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
	asleep.Store(1)
	until(t, "the heartbeat is refused", func() bool { return hits.Load() > 0 })
	w.put(w.webhook("u", "f", "off", 10))
	until(t, "the second change is out", func() bool { return len(w.changes()["user/u/f"]) == 2 })
}
