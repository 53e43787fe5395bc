package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// What is read is what is there, whatever the sizes of reads.
func TestInterruptibleReads(t *testing.T) {
	m := &Main{Stdin: strings.NewReader(strings.Repeat("impressions ", 1000))}
	if err := iotest.TestReader(m.stdin(t.Context()), []byte(strings.Repeat("impressions ", 1000))); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	m = &Main{Stdin: iotest.ErrReader(broken)}
	if _, err := io.ReadAll(m.stdin(t.Context())); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// A read that waits ends with the context, and no other begins.
func TestInterruptibleEnds(t *testing.T) {
	in, out := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	r := (&Main{Stdin: in}).stdin(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := r.Read(make([]byte, 10))
		ended <- err
	}()
	stop()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		_, err := r.Read(make([]byte, 10))
		ended <- err
	}
	if err := out.Close(); err != nil { // ends the read that was left behind
		t.Fatal(err)
	}
}
