package main

import (
	"strings"
	"testing"
)

// Every command that changes something asks on a terminal, does nothing on a no, and does
// not ask after --yes.
func TestAsk(t *testing.T) {
	w, r := newReplayed(t)
	other := write(t, w.dir, "other.yaml", strings.Replace(readFile(t, w.config), "output:", "traits: [{name: \"seen_{split}\"}]\noutput:", 1))
	for _, c := range []struct{ config, line, question string }{
		{other, "apply", "Put them in force? [y/N] "},
		{other, "definitions rollback 0", ""}, // what is in force needs no question
		{w.config, "forget u1", `Remove all traits of user "u1" from app traitstream for good? [y/N] `},
		{w.config, "replay start", "Begin this replay? [y/N] "},
		{w.config, "replay start --emit all", "Begin this replay? [y/N] "},
		{w.config, "dlq replay", "Put dead letters back into their sources? (--dry-run lists them) [y/N] "},
	} {
		args := append(strings.Fields(c.line), "-c", c.config)
		status, _, shown := typing(t, "n\n", args...)
		if asked := strings.Contains(shown, "[y/N]"); c.question == "" {
			if asked || status != exitDone {
				t.Errorf("%s: status %d: %s", c.line, status, shown)
			}
			continue
		}
		if status != exitFailed || !strings.Contains(shown, c.question) || !strings.HasSuffix(shown, "traitstream: nothing was done\n") {
			t.Errorf("%s: status %d: %s", c.line, status, shown)
		}
	}
	if status, out, shown := typing(t, "yes\n", "apply", "-c", other); status != exitDone || !strings.HasSuffix(out, "generation 1 is in force\n") {
		t.Errorf("apply: status %d, %s%s", status, out, shown)
	}
	if status, _, shown := typing(t, "n\n", "definitions", "rollback", "0", "-c", w.config); status != exitFailed || !strings.Contains(shown, "Put them in force? [y/N] ") {
		t.Errorf("rollback: status %d: %s", status, shown)
	}
	for _, line := range []string{"definitions rollback 0", "replay start", "dlq replay", "forget u1"} {
		status, _, shown := typing(t, "", append(strings.Fields(line), "-c", w.config, "--yes")...)
		if status != exitDone || strings.Contains(shown, "[y/N]") {
			t.Errorf("%s --yes: status %d: %s", line, status, shown)
		}
	}
	r.stop()
}

// Where nobody can be asked, what takes traits from somebody needs --yes.
func TestNobodyIsAsked(t *testing.T) {
	w, r := newReplayed(t)
	other := write(t, w.dir, "other.yaml", strings.Replace(readFile(t, w.config), "output:", "traits: [{name: \"seen_{split}\"}]\noutput:", 1))
	succeed(t, "apply", "-c", other, "--yes")
	for line, want := range map[string]int{
		"apply": exitUsage, "definitions rollback 0": exitUsage, "forget u1": exitUsage, "forget --file -": exitUsage,
		"replay start": exitDone, "dlq replay": exitDone,
	} {
		status, _, stderr := program(t, "u1\n", append(strings.Fields(line), "-c", w.config)...)
		if status != want || strings.Contains(stderr, "say --yes") != (want == exitUsage) {
			t.Errorf("%s: status %d: %s", line, status, stderr)
		}
	}
	r.stop()
}
