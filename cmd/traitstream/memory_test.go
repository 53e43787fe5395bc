package main

import (
	"io"
	"math"
	"runtime/debug"
	"strings"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "1GiB")
	limitMemory(256<<20, 2)
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("GOMEMLIMIT is set, and the limit moves to %d", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	limitMemory(256<<20, 2)
	if got, want := debug.SetMemoryLimit(-1), int64(352<<20); got != want {
		t.Errorf("the limit is %d, want %d", got, want)
	}
}

// What an embedded broker holds is in the same memory, and the collector would
// only work in vain.
func TestNoMemoryLimitBesideABroker(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "")
	m := &Main{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard}
	if code := m.Run(t.Context(), []string{"demo"}); code != exitDone {
		t.Fatalf("demo ends with %d", code)
	}
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("the limit is %d", got)
	}
}
