package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// logged returns the messages of a process about tasks and its end, with the
// tasks.
func (r *running) logged() (lines []string) {
	r.t.Helper()
	for line := range strings.Lines(r.stderr.String()) {
		var l struct{ Level, Msg, Tasks any }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			r.t.Fatalf("%s: %v", line, err)
		}
		switch l.Msg {
		case "tasks have come", "tasks have gone":
			lines = append(lines, fmt.Sprint(l.Level, " ", l.Msg, " ", l.Tasks))
		case "stopped":
			lines = append(lines, fmt.Sprint(l.Level, " ", l.Msg))
		}
	}
	return lines
}

// The log tells which tasks a rebalance brings and takes, and that a process has
// stopped, which by itself takes none.
func TestRunLogsTasks(t *testing.T) {
	w := newStatusWorld(t)
	w.create("impressions", 2)
	first := start(t, "run", "-c", w.process("a", ""))
	first.until("it has both tasks", func() bool { return slices.Equal(first.logged(), []string{"INFO tasks have come 0 1"}) })
	second := start(t, "run", "-c", w.process("b", ""), "--leave")
	second.until("it has one", func() bool { return len(second.logged()) == 1 })
	if status := second.stop(); status != exitDone {
		t.Errorf("the second ended with status %d", status)
	}
	first.until("it has both again", func() bool { return len(first.logged()) == 3 })
	if status := first.stop(); status != exitDone {
		t.Errorf("the first ended with status %d", status)
	}
	moved := strings.TrimPrefix(second.logged()[0], "INFO tasks have come ")
	if got, want := second.logged(), []string{"INFO tasks have come " + moved, "INFO stopped"}; !slices.Equal(got, want) {
		t.Errorf("the second logs %q, want %q", got, want)
	}
	want := []string{"INFO tasks have come 0 1", "INFO tasks have gone " + moved, "INFO tasks have come " + moved, "INFO stopped"}
	if got := first.logged(); !slices.Equal(got, want) {
		t.Errorf("the first logs %q, want %q", got, want)
	}
	if !strings.Contains(first.stderr.String()[strings.LastIndex(strings.TrimSpace(first.stderr.String()), "\n")+1:], `"msg":"stopped"`) {
		t.Errorf("the last line is not that it has stopped: %s", first.stderr)
	}
}
