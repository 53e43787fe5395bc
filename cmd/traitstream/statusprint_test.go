package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/processor/group"
	"traitstream/schemas"
)

// statusNow is the time at which the reports of these tests were made.
var statusNow = time.Date(2026, 3, 2, 10, 15, 30, 0, time.UTC)

// reportOf is a group of four tasks and a source of five partitions: a process
// with two workers that restores, one that does not answer, and a task that
// nobody has.
func reportOf() *statusReport {
	topics := &kafka.Topics{Tasks: 4}
	first := member{Member: group.Member{Process: "3f2a8c1e5b7d9a04", HTTP: "10.0.0.4:8080"}, host: "10.0.0.4"}
	second := first
	second.Worker = 1
	silent := member{Member: group.Member{Process: "old\x1b[2Jone"}, host: "10.0.0.5"}
	g := &membership{state: "Stable", members: []member{first, second, silent}, owners: map[place]member{
		{"app-inbox", 0}: first, {"app-inbox", 1}: second, {"app-inbox", 2}: silent, {"impressions", 4}: second,
	}}
	wait := 12.4
	answers := map[string]processStatus{first.Process: {Tasks: []taskStatus{
		{Task: 0, State: stateRunning},
		{Task: 1, Worker: 1, State: stateRestoring, restoreStatus: restoreStatus{Restored: 450, Total: 1000, PerSecond: 44.4, SecondsLeft: &wait}},
	}}}
	note := schemas.OffsetNote{Owner: "app-3f2a8c1e5b7d9a04"}
	inputs := []fleet.Input{
		{Topic: "app-inbox", Partition: 0, Committed: 7, End: 7, Note: note},
		{Topic: "app-inbox", Partition: 1, Committed: 9, End: 12, Lag: 3, Oldest: statusNow.Add(-200 * time.Millisecond)},
		{Topic: "impressions", Partition: 0, Committed: 100, End: 100, Note: note},
		{Topic: "impressions", Partition: 1, Committed: 100, End: 1_300_100, Lag: 1_300_000, Oldest: statusNow.Add(-192 * time.Second)},
		{Topic: "impressions", Partition: 2, Committed: -1, End: 50, Lag: 50, Oldest: statusNow.Add(-26 * time.Hour)},
		{Topic: "impressions", Partition: 3, Committed: 1, End: 2, Lag: 1, Oldest: statusNow.Add(time.Minute)}, // a clock ahead
		{Topic: "impressions", Partition: 4, Committed: 5, End: 9, Lag: 4, Oldest: statusNow.Add(-5 * time.Second)},
	}
	r := newStatusReport("app", topics)
	r.fill("app-inbox", g, inputs, answers, statusNow)
	since := statusNow.Add(-24 * time.Hour)
	r.Letters = &lettersReport{Since: &since, Reasons: map[string]int64{"bad_time": 3, "malformed": 120, "clock_ahead": 3}}
	return r
}

// printed returns what a report looks like.
func (r *statusReport) printed(t *testing.T, format string) string {
	t.Helper()
	var out bytes.Buffer
	if err := (&Main{Stdout: &out, format: format}).printStatus(r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestStatusGolden(t *testing.T) {
	for format, file := range map[string]string{"text": "testdata/status.txt", "json": "testdata/status.jsonl"} {
		got := reportOf().printed(t, format)
		if *rewrite {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", format, got, want)
		}
	}
}

// Each line of JSON is an object: one for each task, then one for all.
func TestStatusJSONLines(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(reportOf().printed(t, "json")), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines, want 5", len(lines))
	}
	for i, line := range lines {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Errorf("line %d: %v", i, err)
		}
		if _, ok := object["task"]; ok != (i < 4) {
			t.Errorf("line %d is about a task: %v", i, ok)
		}
	}
}

// What the table can't say is said in a sentence.
func TestStatusSentences(t *testing.T) {
	topics := &kafka.Topics{Tasks: 2}
	for name, c := range map[string]struct {
		group *membership
		want  []string
		not   string
	}{
		"nobody": {
			&membership{state: groupDead},
			[]string{"0  nobody  stopped    0  caught up\n", "nobody is in group app: start a process with `traitstream run`\nall is processed\n"}, "HTTP",
		},
		"rebalancing": {
			&membership{state: groupPreparing, members: make([]member, 3)},
			[]string{"1  unknown  unknown    0  caught up\n", "group app is rebalancing with 3 workers; who has which task is told when it has ended\n"}, "HTTP",
		},
		"starting": {
			&membership{state: "Stable", members: []member{{Member: group.Member{Process: "a"}, host: "h"}}, owners: map[place]member{
				{"inbox", 0}: {Member: group.Member{Process: "a", Worker: 2}, host: "h"},
			}},
			[]string{"0  a/2 at h  unknown", "1  nobody    stopped", "group app is stable: 1 process with 1 worker, 1 of 2 tasks owned\n", "not reached over HTTP: a;"}, "process with 1 workers",
		},
	} {
		r := newStatusReport("app", topics)
		r.fill("inbox", c.group, nil, nil, statusNow)
		got := r.printed(t, "text")
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is missing in\n%s", name, want, got)
			}
		}
		if strings.Contains(got, c.not) {
			t.Errorf("%s: %q stands in\n%s", name, c.not, got)
		}
	}
	gone := kafka.Topic{Missing: true}
	r := newStatusReport("app", &kafka.Topics{Tasks: 2, Traits: gone, Changelog: gone, Inbox: gone})
	r.Letters = &lettersReport{}
	want := "no process of app has run yet: its topics are missing, and the first `traitstream run` creates them\nno dead letters\n"
	if got := r.printed(t, "text"); got != want {
		t.Errorf("before the first run: %q, want %q", got, want)
	}
}

// Colours change nothing of the layout, and stay away where they are not wanted.
func TestStatusColours(t *testing.T) {
	r := reportOf()
	rows := table{right: map[int]bool{1: true}, paint: paint}
	for i := range r.tasks {
		rows.add(r.tasks[i].ownerText(), r.tasks[i].stateText())
	}
	var painted, plain bytes.Buffer
	if err := rows.print(&painted); err != nil {
		t.Fatal(err)
	}
	rows.paint = nil
	if err := rows.print(&plain); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[31mnobody\x1b[0m", "\x1b[33mrestoring 45 % · 13 s left\x1b[0m\n", "\x1b[33munknown\x1b[0m\n"} {
		if !strings.Contains(painted.String(), want) {
			t.Errorf("%q is missing in %q", want, painted.String())
		}
	}
	for _, code := range []string{"\x1b[31m", "\x1b[33m", "\x1b[0m"} {
		painted = *bytes.NewBuffer(bytes.ReplaceAll(painted.Bytes(), []byte(code), nil))
	}
	if painted.String() != plain.String() {
		t.Errorf("without its colours it is\n%s\nwant\n%s", &painted, &plain)
	}
	if (&Main{Stdout: &plain}).painter() != nil {
		t.Error("colours where there is no terminal")
	}
}
