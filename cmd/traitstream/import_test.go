package main

import (
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An import leaves the topics whose partitions are the tasks to run, which
// knows all sources.
func TestImportCreatesWhatItFills(t *testing.T) {
	for _, c := range []struct {
		what, more string
		want       []string
	}{
		{"defaults", "", []string{"impressions:4", "traitstream-dead-letters:4"}},
		{"output.partitions", "output: {partitions: 6}", []string{"impressions:6", "traitstream-dead-letters:6"}},
		{"the first of two", "sources: [{topic: a}, {topic: b}]\napp: x", []string{"a:4", "x-dead-letters:4"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t, c.more)
			file := write(t, w.dir, "in.jsonl", segmentEvent("u", "f", "on", 1))
			for range 2 { // the second finds what the first has made
				succeed(t, "import", "-c", w.config, file)
				if got := w.topics(); !slices.Equal(got, c.want) {
					t.Fatalf("topics are %v, want %v", got, c.want)
				}
			}
		})
	}
}

func TestImportFillsATopicThatExists(t *testing.T) {
	w := newWorld(t, "")
	w.create("impressions", 3)
	succeed(t, "import", "-c", w.config, write(t, w.dir, "in.jsonl", segmentEvent("u", "f", "on", 1)))
	if got, want := w.topics(), []string{"impressions:3", "traitstream-dead-letters:3"}; !slices.Equal(got, want) {
		t.Errorf("topics are %v, want %v", got, want)
	}
}

func TestImportTells(t *testing.T) {
	w := newWorld(t, "")
	bad := write(t, w.dir, "bad.jsonl", strings.Repeat(`{"key":"u","split":"f","time":1772446530123}`+"\n", shownRefusals+5)+
		segmentEvent("u", "f", "on", 1)+`{"type":"identify","userId":"u"}`+"\n")
	ignored := write(t, w.dir, "_SUCCESS", "")
	status, stdout, stderr := program(t, "", "import", "-c", w.config, bad, ignored)
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if len(lines) != shownRefusals+2 || !strings.HasPrefix(lines[1], bad+":2: missing_treatment: ") ||
		lines[shownRefusals] != ignored+": by its name it holds no impressions, left out" ||
		lines[shownRefusals+1] != "and 5 more were refused; all of them are in traitstream-dead-letters" {
		t.Errorf("errors are\n%s", stderr)
	}
	want := "impressions    1  put into impressions\n" +
		"skipped        1  other calls, or identities that the source skips\n" +
		"dead letters  25  missing_treatment\n"
	if status != exitDone || !strings.HasPrefix(stdout, want) || !strings.Contains(stdout, " read in ") {
		t.Errorf("status %d, output\n%s\nwant\n%s", status, stdout, want)
	}
	if n := w.count("traitstream-dead-letters"); n != shownRefusals+5 {
		t.Errorf("%d dead letters", n)
	}
	status, _, stderr = program(t, "", "import", "-c", w.config, "--strict", bad)
	if status != exitFailed || !strings.HasSuffix(stderr, "traitstream: 25 elements were refused\n") {
		t.Errorf("strict: status %d, errors %s", status, stderr)
	}
}

// A topic that is configured has its settings, any other those of the first
// source.
func TestImportTopic(t *testing.T) {
	w := newWorld(t, "sources: [{topic: a}, {topic: b, identity: {by: trafficTypeId, map: {t1: user}, else: skip}}]")
	file := write(t, w.dir, "in.json", `{"key":"u","split":"f","treatment":"on","time":1772446530123}`)
	for topic, want := range map[string]int64{"": 1, "a": 1, "b": 0, "c": 1} {
		out := succeed(t, "import", "-c", w.config, "--format", "json", "--topic", topic, file)
		var s importSummary
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatal(err)
		}
		if s.Impressions != want || s.Skipped != 1-want || s.Bytes != 61 {
			t.Errorf("--topic %q: %s", topic, out)
		}
	}
}

func TestImportRefuses(t *testing.T) {
	w := newWorld(t, "")
	file := write(t, w.dir, "in.jsonl", segmentEvent("u", "f", "on", 1))
	none := filepath.Join(w.dir, "none.jsonl")
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{file, none}, exitFailed, "opening " + none + ": no such file or directory"},
		{[]string{"--topic", "traitstream-traits", file}, exitUsage, "traitstream-traits is a topic that the program writes"},
	} {
		status, stdout, stderr := program(t, "", append([]string{"import", "-c", w.config}, c.args...)...)
		if status != c.status || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, output %q, errors %q, want %d and %q", c.args, status, stdout, stderr, c.status, c.want)
		}
	}
	if got := w.topics(); len(got) > 0 {
		t.Errorf("topics %v were created", got)
	}
}

// A file that can't be read ends the import, after what was read is told.
func TestImportEndsAtADirectory(t *testing.T) {
	w := newWorld(t, "")
	file := write(t, w.dir, "in.jsonl", segmentEvent("u", "f", "on", 1))
	status, stdout, stderr := program(t, "", "import", "-c", w.config, "--format", "json", file, w.dir, file)
	if status != exitFailed || !strings.Contains(stdout, `"impressions":1,`) || !strings.Contains(stderr, "this is a directory") {
		t.Errorf("status %d, output %q, errors %q", status, stdout, stderr)
	}
}

// An interrupt ends an import that waits for its input, and what was imported
// is told.
func TestImportInterrupted(t *testing.T) {
	w := newWorld(t, "")
	w.create("impressions", 1)
	in, out := io.Pipe()
	defer out.Close() // ends the read that is left behind
	r := startWith(t, in, "import", "-c", w.config, "--format", "json", "--lines", "-")
	if _, err := io.WriteString(out, segmentEvent("u", "f", "on", 1)); err != nil {
		t.Fatal(err)
	}
	r.until("the impression has arrived", func() bool { return w.count("impressions") == 1 })
	if status := r.stop(); status != exitFailed {
		t.Errorf("status %d", status)
	}
	if !strings.Contains(r.stdout.String(), `"impressions":1,`) ||
		!strings.Contains(r.stderr.String(), "traitstream: stopped before the end: at least 1 impressions are in impressions") {
		t.Errorf("output %q, errors %q", r.stdout, r.stderr)
	}
}
