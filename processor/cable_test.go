package processor

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// cable is a process's way to the broker. It can be cut, and made to lose the
// answers or to keep the requests waiting.
type cable struct {
	net *kfake.VirtualNetwork

	mu    sync.Mutex
	cut   bool
	mute  bool          // requests arrive, answers are lost
	held  chan struct{} // requests wait until it is closed; nil: they don't
	slow  time.Duration // what a KiB of a request takes
	wires map[*wire]bool
}

func newCable(n *kfake.VirtualNetwork) *cable {
	return &cable{net: n, wires: map[*wire]bool{}}
}

// dial is for kgo.Dialer.
func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	refused := &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	if c.isCut() {
		sleep(ctx, time.Millisecond) // some callers try again at once, and time would stand still
		return nil, refused
	}
	conn, err := c.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, cable: c, closed: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, refused
	}
	c.wires[w] = true
	return w, nil
}

func (c *cable) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

// sever closes all connections and refuses new ones.
func (c *cable) sever() { c.change(true, false, false) }

// deafen loses all answers from now on.
func (c *cable) deafen() { c.change(false, true, false) }

// hold keeps requests waiting, those of the heartbeat too, as if they were
// under way for long. They arrive when the cable is mended.
func (c *cable) hold() { c.change(false, false, true) }

// narrow makes requests take longer the larger they are.
func (c *cable) narrow(slow time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow = slow
}

// mend makes the cable work. Connections that have lost answers are closed.
func (c *cable) mend() { c.change(false, false, false) }

func (c *cable) change(cut, mute, held bool) {
	c.mu.Lock()
	drop := cut || c.mute
	c.cut, c.mute = cut, mute
	if c.held != nil {
		close(c.held)
		c.held = nil
	}
	if held {
		c.held = make(chan struct{})
	}
	var wires []*wire
	for w := range c.wires {
		if drop {
			wires = append(wires, w)
		}
	}
	c.mu.Unlock()
	for _, w := range wires {
		_ = w.Close() // its user finds out
	}
}

// wire is a connection over a cable.
type wire struct {
	net.Conn
	cable  *cable
	once   sync.Once
	closed chan struct{}
	writes atomic.Int64 // their deadline, Unix ns; 0: none
}

func (w *wire) Read(b []byte) (int, error) {
	for {
		n, err := w.Conn.Read(b)
		w.cable.mu.Lock()
		lost := w.cable.mute
		w.cable.mu.Unlock()
		if err != nil || !lost {
			return n, w.broken("read", err)
		}
	}
}

// broken gives a pipe's error the words of a real network.
func (w *wire) broken(op string, err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return &net.OpError{Op: op, Net: "tcp", Err: syscall.ECONNRESET}
	}
	return err
}

func (w *wire) Write(b []byte) (int, error) {
	w.cable.mu.Lock()
	held, slow := w.cable.held, w.cable.slow
	w.cable.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow * time.Duration(len(b)) / 1024):
		case <-w.closed:
		}
	}
	if held != nil {
		select {
		case <-held:
		case <-w.closed:
		case <-w.late():
			return 0, &net.OpError{Op: "write", Net: "tcp", Err: os.ErrDeadlineExceeded}
		}
	}
	n, err := w.Conn.Write(b)
	return n, w.broken("write", err)
}

// late is sent to when a write has waited for too long.
func (w *wire) late() <-chan time.Time {
	at := w.writes.Load()
	if at == 0 {
		return nil
	}
	return time.After(time.Until(time.Unix(0, at)))
}

func (w *wire) SetWriteDeadline(t time.Time) error {
	at := int64(0)
	if !t.IsZero() {
		at = t.UnixNano()
	}
	w.writes.Store(at)
	return w.Conn.SetWriteDeadline(t)
}

func (w *wire) Close() error {
	w.once.Do(func() {
		close(w.closed)
		w.cable.mu.Lock()
		defer w.cable.mu.Unlock()
		delete(w.cable.wires, w)
	})
	return w.Conn.Close()
}
