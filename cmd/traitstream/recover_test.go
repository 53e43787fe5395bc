package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A control topic that is deleted while nobody runs is got over by a command: run tells
// which, and nothing is sent that was sent before.
func TestRecoverDefinitions(t *testing.T) {
	w := newWorld(t, "")
	w.create("impressions", 2)
	s := applied{stage{broker: w.brokers[0], http: freeAddress(t), dir: w.dir, config: filepath.Join(w.dir, "c.yaml")}}
	run := func() *running {
		r := start(t, "run", "-c", s.config)
		r.until("it is ready", func() bool { return get(s.http, "/readyz") == "ok\n" })
		return r
	}
	s.traits(t, `[{name: "{split}"}]`)
	r := run()
	succeed(t, "import", "-c", s.config, write(t, s.dir, "one.jsonl", segmentEvent("u", "f", "on", 1)))
	r.until("the change is out", func() bool { return s.table(t) == `u/f="on"` })
	if status, _, stderr := program(t, "", "definitions", "recover", "-c", s.config, "--yes"); status != exitFailed || !strings.Contains(stderr, "nothing is to be recovered") {
		t.Errorf("where nothing is lost: status %d, %s", status, stderr)
	}
	s.traits(t, `[{name: "{split}"}, {name: "seen_{split}"}]`)
	succeed(t, "apply", "-c", s.config, "--yes")
	r.stop()
	w.deleteTopics("traitstream-control")

	status, _, stderr := program(t, "", "run", "-c", s.config)
	if status != exitFailed || !strings.Contains(stderr, "topic traitstream-control is empty") || !strings.Contains(stderr, "traitstream definitions recover") {
		t.Fatalf("run: status %d, %s", status, stderr)
	}
	if status, _, stderr := program(t, "", "verify", "-c", s.config); status != exitFailed || !strings.Contains(stderr, "definitions recover") {
		t.Errorf("verify: status %d, %s", status, stderr)
	}
	if status, _, stderr := program(t, "", "definitions", "recover", "-c", s.config); status != exitUsage || !strings.Contains(stderr, "say --yes") {
		t.Errorf("without --yes: status %d, %s", status, stderr)
	}
	if got := succeed(t, "definitions", "recover", "-c", s.config, "--yes"); !strings.HasPrefix(got, "generation 1 written down again") {
		t.Errorf("recover: %s", got)
	}
	before := succeed(t, "tap", "-c", s.config, "--until-end")
	r = run()
	if after := succeed(t, "tap", "-c", s.config, "--until-end"); after != before {
		t.Errorf("the traits topic was\n%s\nand is\n%s", before, after)
	}
	succeed(t, "import", "-c", s.config, write(t, s.dir, "two.jsonl", segmentEvent("u", "f", "off", 2)))
	r.until("it goes on", func() bool { return s.table(t) == `u/f="off" u/seen_f="off"` })
	succeed(t, "verify", "-c", s.config)
	r.stop()
}
