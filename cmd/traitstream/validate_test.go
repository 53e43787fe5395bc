package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
)

func TestValidate(t *testing.T) {
	t.Chdir(t.TempDir())
	const defaults = "traitstream reads impressions, computes {split}, writes traitstream-traits\n"
	if got, want := succeed(t, "validate"), "there is no traitstream.yaml, so the defaults hold: "+defaults; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	write(t, ".", "traitstream.yaml", "")
	if got, want := succeed(t, "validate"), "traitstream.yaml is valid: "+defaults; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	write(t, ".", "c.yaml", "app: x\nsources: [{topic: a}, {topic: b}]\ntraits: [{name: \"{split}\"}, {name: best}]\n")
	want := `{"valid":true,"file":"c.yaml","app":"x","sources":["a","b"],"traits":["{split}","best"],"output":"x-traits"}` + "\n"
	if got := succeed(t, "validate", "-c", "c.yaml", "--format", "json"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// All that is wrong is told at once: as text as a complaint, as JSON as the
// result.
func TestValidateProblems(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".", "c.yaml", "sources:\n  - topic: a\n    colour: <red>\nprocessor: {commit_interval: soon}\n")
	status, stdout, stderr := program(t, "", "validate", "-c", "c.yaml")
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if status != exitUsage || stdout != "" || len(lines) != 2 || !strings.HasPrefix(lines[0], "c.yaml:3:5: ") || !strings.HasPrefix(lines[1], "c.yaml:4:") {
		t.Errorf("status %d, output %q, errors\n%s", status, stdout, stderr)
	}
	status, stdout, stderr = program(t, "", "validate", "-c", "c.yaml", "--format", "json")
	var got []string
	for line := range strings.Lines(stdout) {
		var p struct {
			File, Message string
			Line, Column  int
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message))
	}
	if status != exitUsage || stderr != "" || !slices.Equal(got, lines) {
		t.Errorf("status %d, errors %q, output\n%s", status, stderr, stdout)
	}
}

// The topics as they are, then a sample of each source: what is misplaced,
// what would be refused, what nobody wants.
func TestValidateConnect(t *testing.T) {
	w := newWorld(t, "sources: [{topic: a}, {topic: b}]\ntraits: [{name: \"{split}\", where: {split: {not_equals: other}}}]\n")
	w.create("a", 2)
	w.create("b", 4)
	event := func(topic, user, flag, treatment, environment string) *kgo.Record {
		return &kgo.Record{
			Topic: topic, Partition: kafka.Partition([]byte(user), 4), Timestamp: at(30),
			Value: fmt.Appendf(nil, `{"key":%q,"split":%q,"treatment":%q,"environmentName":%q,"time":%d}`,
				user, flag, treatment, environment, at(0).UnixMilli()),
		}
	}
	misplaced := event("b", "u1", "f", "on", "Production")
	misplaced.Partition = (misplaced.Partition + 1) % 4
	early := event("b", "u4", "f", "on", "Staging")
	early.Timestamp = at(0).Add(-time.Hour)
	w.produce(w.client, misplaced, early,
		event("b", "u1", "f", "on", "Production"), event("b", "u2", "f", "on", "Production"), event("b", "u3", "other", "on", "Staging"),
		event("b", "", "f", "on", ""), event("b", "u5", "f", "", ""),
		&kgo.Record{Topic: "b", Value: []byte(`{"type":"page","userId":"u"}`)})

	status, stdout, stderr := program(t, "", "validate", "-c", w.config, "--connect")
	want := w.config + ` is valid: traitstream reads a, b, computes {split}, writes traitstream-traits
TOPIC                            PARTITIONS  STATE
traitstream-traits                        4  missing; run creates it
traitstream-last-seen-changelog           4  missing; run creates it
traitstream-inbox                         4  missing; run creates it
traitstream-dead-letters                  4  missing; run creates it
SOURCE  SAMPLED  FORWARDED  NO MATCH  SKIPPED  REFUSED
a             0      0.0 %     0.0 %        0        0
b             4     25.0 %    25.0 %        1        3  clock_ahead 1, missing_treatment 1, missing_user 1
`
	if status != exitDone || stdout != want || stderr != "" {
		t.Errorf("status %d, errors %q, output\n%s\nwant\n%s", status, stderr, stdout, want)
	}
	if got := w.topics(); !slices.Equal(got, []string{"a:2", "b:4"}) {
		t.Errorf("validating has created topics: %v", got)
	}
	lines := strings.Split(strings.TrimSpace(succeed(t, "validate", "-c", w.config, "--connect", "--format", "json")), "\n")
	wantLast := `{"source":"b","sampled":4,"forwarded":0.25,"no_match":0.25,"skipped":1,"refused":3,` +
		`"reasons":{"clock_ahead":1,"missing_treatment":1,"missing_user":1}}`
	if len(lines) != 7 || lines[1] != `{"topic":"traitstream-traits","partitions":4,"missing":true}` || lines[6] != wantLast {
		t.Errorf("got\n%s\nwant at the end\n%s", strings.Join(lines, "\n"), wantLast)
	}

	w.produce(w.client, event("a", "u1", "f", "on", "Staging"), event("b", "u6", "f", "on", "Staging"))
	status, _, stderr = program(t, "", "validate", "-c", w.config, "--connect")
	if status != exitDone || strings.Count(stderr, "warning: ") != 1 || strings.Count(stderr, "\n") != 1 ||
		!strings.Contains(stderr, "`where: {environmentName: Production}`") {
		t.Errorf("status %d, errors %q", status, stderr)
	}
}

// Only the newest records count.
func TestValidateSamplesTheEnd(t *testing.T) {
	w := newWorld(t, "")
	w.create("impressions", 1)
	var records []*kgo.Record
	for range sampleOffsets + 500 {
		records = append(records, &kgo.Record{Topic: "impressions", Value: []byte(segmentEvent("u", "f", "on", 1))})
	}
	w.produce(w.client, records...)
	out := succeed(t, "validate", "-c", w.config, "--connect", "--format", "json")
	if want := fmt.Sprintf(`{"source":"impressions","sampled":%d,"forwarded":0,`, sampleOffsets); !strings.Contains(out, want) {
		t.Errorf("got %s, want %s", out, want)
	}
}

func TestValidateConnectRefuses(t *testing.T) {
	w := newWorld(t, "")
	w.create("impresions", 1)
	status, _, stderr := program(t, "", "validate", "-c", w.config, "--connect")
	if status != exitFailed || !strings.Contains(stderr, "did you mean impresions?") {
		t.Errorf("status %d, errors %q", status, stderr)
	}
	w.create("impressions", 1)
	w.create("traitstream-inbox", 2)
	w.create("traitstream-traits", 3)
	status, _, stderr = program(t, "", "validate", "-c", w.config, "--connect")
	if status != exitFailed || !strings.Contains(stderr, "must have the same number of partitions") {
		t.Errorf("status %d, errors %q", status, stderr)
	}
}
