package processor

import (
	"context"
	"testing"
	"time"
)

// A source that is added to the configuration is read after a restart at once,
// although the broker gives a static member its old assignment back.
func TestSourceIsAdded(t *testing.T) {
	w, _ := newFaultyWorld(t, "sources: [{topic: a}]\n", 1)
	dir := t.TempDir()
	w.put(w.webhook("u", "f", "on", 0))
	w.member(dir).drain()
	both := newWorldAt(t, "sources: [{topic: a}, {topic: b}]\n", 1, w.cfg.Kafka.Brokers)
	r := both.webhook("v", "f", "on", 0)
	r.Topic = "b"
	both.put(r)
	m := both.member(dir)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	done := make(chan error, 1)
	cancel := runMember(ctx, m, done)
	if err := m.WaitUntilCaughtUp(ctx); err != nil || ctx.Err() != nil {
		t.Errorf("not caught up: %v", ctx.Err())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	m.close()
	if got := both.changes()["user/v/f"]; len(got) != 1 {
		t.Errorf("the new source's user has the changes %v", got)
	}
}
