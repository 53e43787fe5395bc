package main

import (
	"runtime/debug"
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
	if got, want := debug.SetMemoryLimit(-1), int64(392<<20); got != want {
		t.Errorf("the limit is %d, want %d", got, want)
	}
}
