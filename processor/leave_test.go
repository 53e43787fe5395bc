package processor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A process that stops keeps its seats for the next start, unless it is told to
// leave.
func TestStopKeepsTheSeats(t *testing.T) {
	for name, leave := range map[string]bool{"stopped": false, "told to leave": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, twoWorkers, nil, func(b *bubble) {
				p := b.start(b.t.TempDir(), func(p *process) { p.o.Leave = leave })
				until(b.t, "it is at work", p.Ready)
				if err := b.end(p); err != nil {
					b.t.Error(err)
				}
				want := 2
				if leave {
					want = 0
				}
				if got := len(b.cluster.GroupInfo(b.cfg.Group()).Members); got != want {
					b.t.Errorf("the group has %d members, want %d", got, want)
				}
			})
		})
	}
}

// copyOf returns a folder with the instance of another one.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	copied := t.TempDir()
	name, err := os.ReadFile(filepath.Join(dir, "instance"))
	if err == nil {
		err = os.WriteFile(filepath.Join(copied, "instance"), name, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

// A process whose seats a copy of it has taken gives up none of them, though it
// is told to leave: by name the other one would be the one that leaves.
func TestWhoIsReplacedDoesNotLeave(t *testing.T) {
	inBubble(t, oneWorker, nil, func(b *bubble) {
		p := b.start(b.t.TempDir(), func(p *process) { p.o.Leave = true })
		until(b.t, "it is at work", p.Ready)
		left := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, Observe: true, Count: -1})
		b.start(copyOf(b.t, p.dir), nil)
		select {
		case <-p.ended:
		case <-time.After(time.Minute):
			b.t.Fatal("it goes on beside the other one")
		}
		// The copy itself has left once, since its store is empty and tells of no sources.
		if !errors.Is(p.err, errSeatTaken) || left.Hits() != 1 {
			b.t.Errorf("it ends with %v; somebody left %d times", p.err, left.Hits())
		}
	})
}

// A producer that was fenced means a copy of the folder if the group has given
// the seat to another run, and no more than that the worker was slow if not.
func TestWhoHasTheSeat(t *testing.T) {
	inBubble(t, oneWorker, nil, func(b *bubble) {
		p := b.start(b.t.TempDir(), nil)
		until(b.t, "it is at work", p.Ready)
		copied, other := b.member(copyOf(b.t, p.dir)), b.member("")
		defer copied.close()
		defer other.close()
		for name, c := range map[string]struct {
			w     *worker
			taken bool
		}{"this run": {p.workers[0], false}, "another run": {copied.workers[0], true}, "nobody": {other.workers[0], false}} {
			for _, fenced := range []error{kerr.ProducerFenced, kerr.InvalidProducerEpoch} {
				err := c.w.explain(b.t.Context(), fenced)
				if errors.Is(err, errSeatTaken) != c.taken || retriable(err) == c.taken {
					b.t.Errorf("%s has the seat, and %v is explained by %v", name, fenced, err)
				}
			}
		}
	})
}

// A start that is stopped before the surplus seats have left still knows them
// the next time.
func TestSurplusIsNotForgotten(t *testing.T) {
	w, c := newFaultyWorld(t, "processor: {workers: 1}", 1)
	dir := t.TempDir()
	m := w.member(dir)
	defer m.close()
	seats := m.o.Instance.seats(3)
	if err := m.o.Instance.hold(seats); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, TopLevel: true, Err: kerr.CoordinatorNotAvailable, Count: -1,
		When: func(kmsg.Request) bool { stop(); return true }})
	if err := m.takeSeats(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	again, err := OpenInstance(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.surplus(1); !slices.Equal(got, seats[1:]) {
		t.Errorf("the surplus is %v, want %v", got, seats[1:])
	}
}
