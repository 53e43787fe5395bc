package main

import (
	"context"
	"io"
)

// stdin returns standard input for as long as ctx lasts.
func (m *Main) stdin(ctx context.Context) io.Reader {
	return &interruptible{ctx: ctx, in: m.Stdin}
}

// interruptible reads until ctx ends: a read that waits for a terminal or a
// stalled pipe would keep an interrupted command from stopping. Such a read is
// left behind.
type interruptible struct {
	ctx context.Context
	in  io.Reader
	buf []byte // belongs to the read that is under way
}

// Read waits for the input or the end of the context.
func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	if len(i.buf) < len(p) {
		i.buf = make([]byte, len(p))
	}
	var n int
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		n, err = i.in.Read(i.buf[:len(p)])
	}()
	select {
	case <-i.ctx.Done():
		return 0, i.ctx.Err()
	case <-done:
		return copy(p, i.buf[:n]), err
	}
}
