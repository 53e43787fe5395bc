package main

import (
	"bytes"
	"context"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// output is what a command prints, safe to look at while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// program runs a command line to its end.
func program(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs output
	m := &Main{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs}
	status = m.Run(t.Context(), args)
	return status, out.String(), errs.String()
}

// succeed runs a command line that must end well, and returns what it prints.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := program(t, "", args...)
	if status != exitDone {
		t.Fatalf("%v ended with status %d: %s", args, status, stderr)
	}
	return stdout
}

// running is a command that runs until it is stopped.
type running struct {
	t              *testing.T
	cancel         context.CancelFunc
	done           chan int
	stdout, stderr *output
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	return startWith(t, strings.NewReader(""), args...)
}

// stop interrupts the command and returns its status.
func (r *running) stop() int {
	r.cancel()
	return r.wait()
}

// wait waits for the command's own end and returns its status.
func (r *running) wait() int {
	status := <-r.done
	r.done <- status
	return status
}

// until waits for a condition, which the command's end makes impossible.
func (r *running) until(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case status := <-r.done:
			r.done <- status
			r.t.Fatalf("the command ended with status %d before %s: %s", status, what, r.stderr)
		case <-deadline.C:
			r.t.Fatalf("waited in vain until %s: %s", what, r.stderr)
		case <-tick.C:
		}
	}
}

// write puts a file into the folder.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
