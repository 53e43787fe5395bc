package processor

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A source that is added to the configuration is read after a restart at once,
// although the broker gives a static member its old assignment back. The
// embedded broker does not, so only a real one can show it.
func TestRealSourceIsAdded(t *testing.T) {
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("TRAITSTREAM_TEST_BROKERS names no Kafka (host:port,...)")
	}
	seeds, app := strings.Split(brokers, ","), "test-"+newName()
	yaml := fmt.Sprintf("app: %s\noutput: {partitions: 1}\nsources: [{topic: %s-a}", app, app)
	w := newWorldAt(t, yaml+"]\n", 1, seeds)
	dir := t.TempDir()
	w.put(w.webhook("u", "f", "on", 0))
	w.member(dir).drain()
	both := newWorldAt(t, fmt.Sprintf("%s, {topic: %s-b}]\n", yaml, app), 1, seeds)
	r := both.webhook("v", "f", "on", 0)
	r.Topic = app + "-b"
	both.put(r)
	m := both.member(dir)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second) // less than the session's
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
