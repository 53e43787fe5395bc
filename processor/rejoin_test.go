package processor

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A stop while the seat is given up for new sources does not pass for having
// given it up: the next start does.
func TestStopWhileRejoining(t *testing.T) {
	w, c := newFaultyWorld(t, "", 1)
	m := w.member(t.TempDir())
	defer m.close()
	if err := m.o.Store.SetMeta(inputsMeta, []byte("other")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	left := 0
	c.ControlKey(kmsg.LeaveGroup.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		left++
		stop()
		resp := r.ResponseKind().(*kmsg.LeaveGroupResponse)
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return resp, nil, true
	})
	if err := m.o.Instance.hold([]string{"seat"}); err != nil {
		t.Fatal(err)
	}
	_ = m.takeSeats(ctx)
	if left == 0 {
		t.Fatal("nobody left")
	}
	got, err := m.o.Store.Meta(inputsMeta)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != "other" {
		t.Errorf("the seat counts as taken for %q", got)
	}
}
