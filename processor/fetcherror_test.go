package processor

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A poll whose wait is over, or that a restored task has woken, still moves a
// partition whose place is gone: its context is not that of the lookup.
func TestOutOfRangeWhenPollIsOver(t *testing.T) {
	w, _ := newFaultyWorld(t, "", 1)
	m := w.member(t.TempDir())
	defer m.close()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.ConsumerGroup(w.cfg.Group()), kgo.ConsumeTopics("none")}, w.connect...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := &seat{starts: newStarts(&m.o, &ledger{consumer: client})}
	ctx, wake := context.WithCancel(t.Context())
	wake()
	if err := s.fetchError(ctx, "impressions", 0, kerr.OffsetOutOfRange); err != nil {
		t.Errorf("retriable: %v: %v", retriable(err), err)
	}
}
