package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"traitstream/internal/containers"
)

// Against a Kafka and a schema registry in containers: run is killed while it
// works and started again, and then all is as demo has it of the same files.
func TestRealKilledInContainers(t *testing.T) {
	if os.Getenv("TRAITSTREAM_TEST_DOCKER") == "" {
		t.Skip("set TRAITSTREAM_TEST_DOCKER=1 where docker works and the images apache/kafka and apicurio/apicurio-registry can be had")
	}
	last := time.Now()
	done := func(what string) {
		t.Logf("%s: %.1f s", what, time.Since(last).Seconds())
		last = time.Now()
	}
	k := containers.StartKafka(t, containers.KafkaOptions{})
	done("Kafka started")
	registry := containers.StartRegistry(t)
	done("schema registry started")
	w := newRealWorld(t, k.Brokers[0], fmt.Sprintf("output: {format: avro}\nschema_registry: {url: %q}\n", registry))
	input := newInput(40_000).values
	half := strings.Index(input[len(input)/2:], "\n") + len(input)/2 + 1
	dir := t.TempDir()
	first, second := write(t, dir, "first.jsonl", input[:half]), write(t, dir, "second.jsonl", input[half:])
	program := buildProgram(t)
	done("program built")

	succeed(t, "import", "-c", w.config, first)
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	done("first file imported and processed")
	succeed(t, "import", "-c", w.config, second)
	w.killAtWork(program)
	done("second file imported, run killed at work")
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	succeed(t, "verify", "-c", w.config)
	done("caught up and verified")

	want := traitsOf(t, succeed(t, "demo", "-c", w.demoConfig(), "--format", "json", first, second), true)
	got := traitsOf(t, w.tappedTraits(), true)
	if len(want) < 10_000 {
		t.Fatalf("demo gives %d traits only", len(want))
	}
	if diff := difference(got, want); diff != "" {
		t.Error(diff)
	}
	done(fmt.Sprintf("%d traits compared with those of demo", len(want)))
}

// killAtWork starts the program and kills it when it has written something and
// has more to do.
func (w *realWorld) killAtWork(program string) {
	w.t.Helper()
	before := w.end(w.app + "-traits")
	var errs output
	c := exec.CommandContext(w.t.Context(), program, "run", "-c", w.config)
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for now := before; now == before && time.Now().Before(deadline); {
		now = w.end(w.app + "-traits")
	}
	if err := c.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	if err := c.Wait(); err == nil || time.Now().After(deadline) {
		w.t.Fatalf("it was to be killed at work, and ended with %v: %s", err, errs.String())
	}
}

// demoConfig is the world's without what demo does not do.
func (w *realWorld) demoConfig() string {
	w.t.Helper()
	return write(w.t, filepath.Dir(w.config), "demo.yaml", fmt.Sprintf("app: %s\nsources: [{topic: %s}]\n", w.app, w.source))
}

// tappedTraits returns the values of the traits topic after compaction, as tap
// prints them.
func (w *realWorld) tappedTraits() string {
	w.t.Helper()
	last := map[string]string{}
	for line := range strings.Lines(succeed(w.t, "tap", "-c", w.config, "--until-end", "--format", "json")) {
		var r struct{ Key, Value json.RawMessage }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			w.t.Fatalf("%s: %v", line, err)
		}
		last[string(r.Key)] = string(r.Value) + "\n"
	}
	return strings.Join(slices.Collect(maps.Values(last)), "")
}
