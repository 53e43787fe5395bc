package process

import (
	"os"
	"testing"
	"time"
)

func TestBusyLeavesWaitingOut(t *testing.T) {
	got, err := busy([]byte("cpu  1 20 300 4000 50000 600000 7000000 8 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n"))
	if want := 7_600_321 * tick; err != nil || got != want {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "cpu  1 2 3", "cpu 1 2 x 4 5 6 7 8\n"} {
		if _, err := busy([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestWorkIsSeen works until the kernel has counted it, for this process and for
// the machine.
func TestWorkIsSeen(t *testing.T) {
	cpu, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	all, err := Busy()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		cpuNow, _ := CPU(os.Getpid()) // it was read before
		allNow, _ := Busy()           // so was this
		if cpuNow > cpu && allNow > all {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after ten seconds of work: %v, %v before, %v, %v now", cpu, all, cpuNow, allNow)
		}
	}
}
