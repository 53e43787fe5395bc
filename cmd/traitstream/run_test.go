package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"traitstream/kafka"
	"traitstream/state"
)

// stage is a configuration with the addresses of an embedded broker and of the
// HTTP listener.
type stage struct{ config, broker, http, dir string }

func newStage(t *testing.T, more string) stage {
	t.Helper()
	s := stage{broker: freeAddress(t), http: freeAddress(t), dir: t.TempDir()}
	s.config = write(t, s.dir, "c.yaml", fmt.Sprintf(
		"kafka: {brokers: [%q]}\nhttp: {listen: %q}\nstate: {dir: data}\n%s", s.broker, s.http, more))
	return s
}

// run starts `run --embedded` and waits until it is ready.
func (s stage) run(t *testing.T, args ...string) *running {
	t.Helper()
	r := start(t, append([]string{"run", "-c", s.config, "--embedded", "--embedded-listen", s.broker}, args...)...)
	r.until("it is ready", func() bool { return get(s.http, "/readyz") == "ok\n" })
	return r
}

// get returns the body of a page, or nothing.
func get(address, path string) string {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

func segmentEvent(user, flag, treatment string, second int) string {
	return fmt.Sprintf(`{"type":"track","event":"get_treatment","userId":%q,"timestamp":"2026-03-02T10:00:%02dZ",`+
		`"properties":{"split":%q,"treatment":%q,"environmentName":"Prod"}}`+"\n", user, second, flag, treatment)
}

// Import while it runs, stop, import again, start again: everything is sent
// once, and the broker keeps its data.
func TestRunEmbedded(t *testing.T) {
	s := newStage(t, "")
	first := write(t, s.dir, "first.jsonl", segmentEvent("u1", "f", "on", 1)+segmentEvent("u2", "f", "off", 1))
	second := write(t, s.dir, "second.jsonl", segmentEvent("u1", "f", "off", 2)+segmentEvent("u2", "f", "off", 2))
	tap := func() []string {
		return strings.Split(strings.TrimSpace(succeed(t, "tap", "-c", s.config, "--until-end", "--format", "json")), "\n")
	}

	r := s.run(t)
	succeed(t, "import", "-c", s.config, first)
	r.until("two changes are out", func() bool { return len(tap()) == 2 })
	r.until("they are counted", func() bool {
		return strings.Contains(get(s.http, "/metrics"), `traitstream_changes_total{kind="set"} 2`)
	})
	metrics := get(s.http, "/metrics")
	for _, want := range []string{
		`traitstream_impressions_total{result="change",source="impressions"} 2`,
		`traitstream_build_info{`, "traitstream_state_bytes", "traitstream_kafka_", "traitstream_last_commit_timestamp_seconds",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if get(s.http, "/livez") != "ok\n" {
		t.Error("/livez does not say ok")
	}
	began := time.Now()
	if status := r.stop(); status != exitDone {
		t.Fatalf("stopped with status %d: %s", status, r.stderr)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %s", took)
	}

	r = s.run(t)
	succeed(t, "import", "-c", s.config, second)
	r.until("the third change is out", func() bool { return len(tap()) == 3 })
	if status := r.stop(); status != exitDone {
		t.Fatalf("stopped with status %d: %s", status, r.stderr)
	}
	// It leaves by itself when there is nothing left to do.
	if status, _, stderr := program(t, "", "run", "-c", s.config, "--embedded", "--embedded-listen", s.broker, "--until-caught-up"); status != exitDone {
		t.Fatalf("ended with status %d: %s", status, stderr)
	}
}

// What goes wrong before the loop is told in one sentence, with status 1.
func TestRunRefuses(t *testing.T) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	}()
	dir := t.TempDir()
	brokers := fmt.Sprintf("kafka: {brokers: [%q]}\nhttp: {listen: %q}\n", broker.Brokers()[0], freeAddress(t))
	succeed(t, "import", "-c", write(t, dir, "seed.yaml", brokers), write(t, dir, "one.jsonl", segmentEvent("u", "f", "on", 1)))
	held, err := state.Open(state.Options{Dir: filepath.Join(dir, "held"), App: "traitstream", ClusterID: "?"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := held.Close(); err != nil {
			t.Error(err)
		}
	}()
	other, err := state.Open(state.Options{Dir: filepath.Join(dir, "other"), App: "another", ClusterID: "?"})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ yaml, want string }{
		"no broker":        {fmt.Sprintf("kafka: {brokers: [%q]}", freeAddress(t)), "connecting to Kafka at"},
		"no source":        {brokers + "sources: [{topic: impresions}]", "did you mean impressions?"},
		"state in use":     {brokers + "state: {dir: held}", "in use"},
		"state of another": {brokers + "state: {dir: other}", "another"},
		"address in use": {strings.Replace(brokers, "http: {listen: ", "http: {listen: \""+broker.Brokers()[0]+"\"} # ", 1),
			"set http.listen to a free address"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := program(t, "", "run", "-c", write(t, dir, "case.yaml", c.yaml))
			if status != exitFailed || stdout != "" || !strings.Contains(stderr, c.want) {
				t.Errorf("status %d, output %q, errors %q; want status 1 and %q", status, stdout, stderr, c.want)
			}
			if lines := strings.Count(stderr, "traitstream: "); lines != 1 {
				t.Errorf("%d sentences, want one: %s", lines, stderr)
			}
		})
	}
}

// Definitions that changed while it was away are told, and state that is ahead
// of its changelog is refused until it is reset.
func TestRunAfterChanges(t *testing.T) {
	s := newStage(t, "")
	r := s.run(t)
	succeed(t, "import", "-c", s.config, write(t, s.dir, "one.jsonl", segmentEvent("u", "f", "on", 1)))
	r.until("a change is out", func() bool {
		return strings.Contains(get(s.http, "/metrics"), `traitstream_changes_total{kind="set"} 1`)
	})
	r.stop()
	if strings.Contains(r.stderr.String(), "not those in force") {
		t.Error("the first run takes its definitions for changed")
	}
	changed := write(t, s.dir, "c.yaml", fmt.Sprintf(
		"kafka: {brokers: [%q]}\nhttp: {listen: %q}\nstate: {dir: data}\ntraits: [{name: \"flag_{split}\"}]\n", s.broker, s.http))
	if changed != s.config {
		t.Fatal("the configuration went elsewhere")
	}
	r = s.run(t)
	r.stop()
	if !strings.Contains(r.stderr.String(), "not those in force") {
		t.Errorf("changed definitions were not told: %s", r.stderr)
	}
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	bad := write(t, dir, "bad.yaml", "sources: [{topic: a, colour: red}]\nprocessor: {commit_interval: soon}\n")
	for _, c := range []struct {
		args   []string
		status int
		stdout string
		stderr string
	}{
		{[]string{"validate", "-c", bad}, exitUsage, "", "bad.yaml:1:"},
		{[]string{"validate", "-c", bad, "--format", "json"}, exitUsage, `"line":2,"column":`, ""},
		{[]string{"validate", "-c", filepath.Join(dir, "none.yaml")}, exitUsage, "", "none.yaml"},
		{[]string{"run", "--workers"}, exitUsage, "", "unknown flag"},
		{[]string{"run", "now"}, exitUsage, "", "now"},
		{[]string{"runs"}, exitUsage, "", "runs"},
		{[]string{"import"}, exitUsage, "", "arg"},
		{[]string{"version", "--format", "yaml"}, exitUsage, "", "text or json"},
		{[]string{"demo", "--users", "none"}, exitUsage, "", "users"},
		{[]string{"tap", "--from", "yesterday"}, exitUsage, "", "--from"},
		{[]string{"get", "--anything"}, exitUsage, "", "unknown flag"},
		{[]string{"status", "--anything"}, exitUsage, "", "unknown flag"},
		{[]string{"status", "--dead-letters", "some"}, exitUsage, "", "none, all, or how far back"},
		{[]string{"version"}, exitDone, "traitstream ", ""},
		{[]string{"version", "--format", "json"}, exitDone, `"platform":`, ""},
		{[]string{"completion", "bash"}, exitDone, "traitstream", ""},
		{[]string{"--help"}, exitDone, "demo", ""},
	} {
		status, stdout, stderr := program(t, "", c.args...)
		if status != c.status || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%v: status %d, output %.200q, errors %q; want %d, %q, %q",
				c.args, status, stdout, stderr, c.status, c.stdout, c.stderr)
		}
	}
}
