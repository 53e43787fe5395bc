package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
)

// refusedTime is the timestamp of the records that newRefused puts into the
// source.
var refusedTime = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// newRefused is a world with five dead letters: of an array's second element, of
// bytes that are no text, of a clock that is ahead, and of two lines of a file.
func newRefused(t *testing.T) world {
	t.Helper()
	w := newWorld(t, fmt.Sprintf("http: {listen: %q}\nstate: {dir: data}\noutput: {partitions: 2}\n", freeAddress(t)))
	w.create("impressions", 2)
	record := func(value string) *kgo.Record {
		return &kgo.Record{Topic: "impressions", Partition: 1, Key: []byte("u1"), Value: []byte(value), Timestamp: refusedTime,
			Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("t7")}}}
	}
	w.produce(w.client,
		record(`[{"key":"u1","split":"f","treatment":"on","time":1772445600000},{"key":"u1", "split":"f","time":1772445600000}]`),
		record("\xff\x00"), record(`{"key":"u1","split":"f","treatment":"off","time":1772449200000}`))
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	succeed(t, "import", "-c", w.config, "--lines", write(t, w.dir, "in.jsonl", "{}\n"+segmentEvent("u2", "f", "on", 1)+"{\n"))
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	return w
}

// jsonLines reads what a command prints as JSON: a letter each, and a summary.
func jsonLines[L, S any](t *testing.T, out string) (letters []L, summary S) {
	t.Helper()
	all := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for i, line := range all {
		var to any = &summary
		if i < len(all)-1 {
			letters = append(letters, *new(L))
			to = &letters[i]
		}
		if err := json.Unmarshal([]byte(line), to); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return letters, summary
}

func (w world) list(args ...string) ([]letterReport, letterCounts) {
	w.Helper()
	return jsonLines[letterReport, letterCounts](w.T, succeed(w.T, append([]string{"dlq", "list", "-c", w.config, "--format", "json"}, args...)...))
}

func (w world) replay(args ...string) ([]replayed, replaySummary) {
	w.Helper()
	return jsonLines[replayed, replaySummary](w.T, succeed(w.T, append([]string{"dlq", "replay", "-c", w.config, "--format", "json"}, args...)...))
}

// sources tells in a word where each letter comes from, sorted.
func sources(letters []letterReport) (texts []string) {
	for _, l := range letters {
		s := &l.Source
		text := l.Reason + " " + *s.Topic
		if s.File != nil {
			text = fmt.Sprint(l.Reason, " line ", *s.Line)
		} else if text += fmt.Sprintf("/%d/%d", *s.Partition, *s.Offset); s.Index != nil {
			text += fmt.Sprintf("/%d", *s.Index)
		}
		texts = append(texts, text+" "+l.State)
	}
	slices.Sort(texts)
	return texts
}

func TestDlqList(t *testing.T) {
	w := newRefused(t)
	letters, counts := w.list()
	want := []string{
		"clock_ahead impressions/1/2 new", "malformed impressions/1/1 new", "malformed line 3 new",
		"missing_treatment impressions/1/0/1 new", "unknown_shape line 1 new",
	}
	if got := sources(letters); !slices.Equal(got, want) {
		t.Errorf("the letters are\n%s", strings.Join(got, "\n"))
	}
	if counts.Letters != 5 || counts.Listed != 5 || counts.Reasons["malformed"] != 2 || len(counts.Reasons) != 4 || counts.States["new"] != 5 {
		t.Errorf("the counts are %+v", counts)
	}
	for _, l := range letters {
		if l.Source.File == nil && !l.Source.Timestamp.Equal(refusedTime) || time.Since(*l.Time) > time.Minute || l.Message == "" || l.Truncated {
			t.Errorf("%+v", l)
		}
	}
	text := succeed(t, "dlq", "list", "-c", w.config)
	for _, row := range []string{
		`LETTER  TIME +REASON +STAGE +FROM +SIZE  STATE  MESSAGE\n`,
		`\n[01]:\d +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  malformed +decode  impressions/1/1 +2 B  new    \S.*\n`,
		`  missing_treatment  decode  impressions/1/0/1 +46 B  new  `,
		`\n\nREASON +LETTERS\nmalformed +2\nclock_ahead +1\nmissing_treatment +1\nunknown_shape +1\n5 dead letters\n$`,
	} {
		if !regexp.MustCompile(row).MatchString(text) {
			t.Errorf("%s\nlacks %s", text, row)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("it is coloured: %q", text)
	}
	for _, c := range []struct {
		args            []string
		letters, listed int64
	}{
		{[]string{"--reason", "malformed"}, 2, 2}, {[]string{"--reason", "malformed", "--reason", "unknown_shape"}, 3, 3},
		{[]string{"--reason", "nonesuch"}, 0, 0}, {[]string{"--limit", "2"}, 5, 2}, {[]string{"--since", "1h"}, 5, 5},
		{[]string{"--since", "2026-03-02"}, 5, 5}, {[]string{"--since", "2100-01-01T00:00:00Z"}, 0, 0}, {[]string{"--since", "7d", "--limit", "1"}, 5, 1},
	} {
		if letters, counts := w.list(c.args...); counts.Letters != c.letters || int64(len(letters)) != c.listed || counts.Listed != c.listed {
			t.Errorf("%v: %+v", c.args, counts)
		}
	}
	if got := succeed(t, "dlq", "list", "-c", w.config, "--reason", "nonesuch"); got != "no dead letters\n" {
		t.Errorf("of none: %q", got)
	}
}

// A letter is found by its own place and by that of what was refused, and shown
// with its bytes.
func TestDlqShow(t *testing.T) {
	w := newRefused(t)
	letters, _ := w.list("--reason", "malformed")
	for _, l := range letters {
		where := "impressions/1/1"
		if l.Source.File != nil {
			where = fmt.Sprintf("%s:%d", *l.Source.File, *l.Source.Line)
		}
		own := succeed(t, "dlq", "show", "-c", w.config, fmt.Sprintf("%d:%d", l.Partition, l.Offset))
		for _, other := range []string{where, fmt.Sprintf("traitstream-dead-letters/%d/%d", l.Partition, l.Offset)} {
			if got := succeed(t, "dlq", "show", "-c", w.config, other); got != own {
				t.Errorf("%s: %s\nwant %s", other, got, own)
			}
		}
		want := []string{"reason     malformed\n", "stage      ingest\n", "for        impressions\n", "value      1 byte\n           {\n", "key        null\n"}
		if l.Source.File == nil {
			want = []string{"from       impressions/1/1\n", "timestamp  2026-03-02 10:00:00.000 UTC\n", "headers    trace = t7\n",
				"key        2 bytes\n           u1\n", "value      2 bytes\n           00000000  ff 00  "}
		}
		for _, line := range want {
			if !strings.Contains(own, line) {
				t.Errorf("%s\nlacks %q", own, line)
			}
		}
	}
	for _, where := range []string{"impressions/1/0", "impressions/1/0/1"} {
		var got shownLetter
		if err := json.Unmarshal([]byte(succeed(t, "dlq", "show", "-c", w.config, "--format", "json", where)), &got); err != nil {
			t.Fatal(err)
		}
		if string(got.Value) != `"{\"key\":\"u1\", \"split\":\"f\",\"time\":1772445600000}"` || string(got.Key) != `"u1"` ||
			got.Reason != "missing_treatment" || len(got.Headers) != 9 || got.Headers[0].Key != "trace" || string(got.Headers[0].Value) != `"t7"` {
			t.Errorf("%s: %+v", where, got)
		}
	}
	for _, where := range []string{"9:0", "0:999", "impressions/0/77", "traitstream-dead-letters/1/99", "none.jsonl:1"} {
		status, stdout, stderr := program(t, "", "dlq", "show", "-c", w.config, where)
		if status != exitFailed || stdout != "" || !strings.Contains(stderr, "no dead letter of traitstream-dead-letters is at "+where) {
			t.Errorf("%s: status %d, %q, %q", where, status, stdout, stderr)
		}
	}
}

// What was refused is put back once, with its own bytes. What is refused again is
// left alone until it is asked for.
func TestDlqReplay(t *testing.T) {
	w := newRefused(t)
	before := w.count("impressions")
	dry := succeed(t, "dlq", "replay", "-c", w.config, "--dry-run")
	if !strings.HasSuffix(dry, "\n5 letters would be put back into impressions\n") || strings.Count(dry, "  put back  ") != 5 || w.count("impressions") != before {
		t.Errorf("a dry run: %s", dry)
	}
	letters, sum := w.replay("--limit", "2")
	if len(letters) != 2 || sum.PutBack != 2 || sum.Topics["impressions"] != 2 || len(sum.Left) != 0 || sum.DryRun || letters[0].Outcome != "put_back" {
		t.Errorf("two of them: %+v, %+v", letters, sum)
	}
	if got := succeed(t, "dlq", "replay", "-c", w.config); got != "3 letters put back into impressions\n2 left alone: were put back before\n" {
		t.Errorf("the others: %q", got)
	}
	back := map[string]*kgo.Record{}
	err := readTopic(w.limit(), w.client, "impressions", startPoint{text: fromStart}, func(r *kgo.Record) error {
		for _, h := range r.Headers {
			if h.Key == schemas.HeaderReplayed {
				back[string(r.Value)] = r
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r := back["\xff\x00"]
	if len(back) != 5 || w.count("impressions") != before+5 || r == nil || !r.Timestamp.Equal(refusedTime) || r.Partition != 1 || string(r.Key) != "u1" || len(r.Headers) != 2 {
		t.Errorf("in the source are %v", back)
	}

	succeed(t, "run", "-c", w.config, "--until-caught-up")
	_, counts := w.list()
	if counts.Letters != 10 || counts.States["put_back"] != 5 || counts.States["returned"] != 5 || counts.Reasons["clock_ahead"] != 2 {
		t.Errorf("after they were refused again: %+v", counts)
	}
	if _, sum := w.replay(); sum.PutBack != 0 || sum.Left["already_put_back"] != 5 || sum.Left["returned"] != 5 {
		t.Errorf("replayed again: %+v", sum)
	}
	if w.count("impressions") != before+5 {
		t.Error("they go round")
	}

	// A wider limit lets the clock that was ahead in; the array's element has no
	// treatment whatever the limit.
	wider := write(t, w.dir, "wider.yaml", fmt.Sprintf("kafka: {brokers: [%q]}\nhttp: {listen: %q}\nstate: {dir: data}\noutput: {partitions: 2}\nprocessor: {max_clock_ahead: 2h}\n",
		w.brokers[0], freeAddress(t)))
	if got := succeed(t, "dlq", "replay", "-c", wider, "--returned", "--reason", "clock_ahead"); got != "1 letter put back into impressions\n1 left alone: were put back before\n" {
		t.Errorf("once more: %q", got)
	}
	succeed(t, "run", "-c", wider, "--until-caught-up")
	if out := succeed(t, "tap", "-c", w.config, "--until-end"); !strings.Contains(out, `"value":"off","previous":"on"`) {
		t.Errorf("the traits are %s", out)
	}
	if got := succeed(t, "dlq", "list", "-c", w.config); !strings.HasSuffix(got, "\n10 dead letters, 6 put back, 4 refused again after having been put back\n") {
		t.Errorf("the list: %s", got)
	}
}

// Before anything has run there is nothing, and that is no failure.
func TestDlqWithoutLetters(t *testing.T) {
	w := newWorld(t, "")
	w.create("impressions", 1)
	for command, want := range map[string]string{"list": "no dead letters\n", "replay": "0 letters put back\n"} {
		if got := succeed(t, "dlq", command, "-c", w.config); got != want {
			t.Errorf("%s: %q", command, got)
		}
	}
	if status, _, stderr := program(t, "", "dlq", "show", "-c", w.config, "0:0"); status != exitFailed || !strings.Contains(stderr, "topic traitstream-dead-letters does not exist") {
		t.Errorf("show: status %d, %q", status, stderr)
	}
	// An import comes before the first run, which makes the other topics.
	succeed(t, "import", "-c", w.config, write(t, w.dir, "in.jsonl", "{}\n"))
	if got := succeed(t, "dlq", "replay", "-c", w.config); got != "1 letter put back into impressions\n" {
		t.Errorf("after an import: %q", got)
	}
	if !slices.Contains(w.topics(), "traitstream-control:1") {
		t.Errorf("the topics are %v", w.topics())
	}
	w.deleteTopics("impressions")
	if status, _, stderr := program(t, "", "dlq", "replay", "-c", w.config); status != exitFailed || !strings.HasPrefix(stderr, "traitstream: source topic impressions does not exist: ") {
		t.Errorf("without the source: status %d, %q", status, stderr)
	}
	if got := succeed(t, "dlq", "list", "-c", w.config); !strings.Contains(got, "1 dead letter, 1 put back\n") {
		t.Errorf("without the source: %s", got)
	}
}

func TestDlqUsage(t *testing.T) {
	file := write(t, t.TempDir(), "c.yaml", "app: x\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "list, show or replay"}, {[]string{"drop"}, "drop"}, {[]string{"list", "0:1"}, "0:1"}, {[]string{"replay", "0:1"}, "0:1"},
		{[]string{"show"}, "arg"}, {[]string{"show", "17"}, `"17" is no place`}, {[]string{"show", "a/b/c"}, "is no place"}, {[]string{"show", "x:y"}, "is no place"},
		{[]string{"list", "--limit", "0"}, "a number from 1"}, {[]string{"list", "--limit", "x"}, "a number from 1"},
		{[]string{"list", "--since", "soon"}, "a time, or how far back"}, {[]string{"list", "--since", "-1h"}, "how far back"},
		{[]string{"replay", "--reason", ""}, "--reason"}, {[]string{"list", "--dry-run"}, "--dry-run"}, {[]string{"list", "--format", "xml"}, "--format"},
	} {
		status, stdout, stderr := program(t, "", append(append([]string{"dlq"}, c.args...), "-c", file)...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %q, %q", c.args, status, stdout, stderr)
		}
	}
}

// A file may have any name.
func TestParseLetterPlace(t *testing.T) {
	for text, want := range map[string]letterAt{
		"3:42":          {own: &place{"dl", 3}, offset: 42},
		"dl/3/42":       {own: &place{"dl", 3}, offset: 42},
		"in/3/42":       {source: "in/3/42"},
		"in/3/42/0":     {source: "in/3/42/0"},
		"dl/3/42/0":     {source: "dl/3/42/0"},
		"a.jsonl:7":     {source: "a.jsonl:7"},
		"/x/a.jsonl:7":  {source: "/x/a.jsonl:7"},
		"/x/y/3:7":      {source: "/x/y/3:7"},
		"2026:03:02:17": {source: "2026:03:02:17"},
	} {
		got, err := parseLetterPlace(text, "dl")
		if err != nil || (got.own == nil) != (want.own == nil) || got.offset != want.offset {
			t.Errorf("%s: %+v, %v", text, got, err)
			continue
		}
		if got.own != nil && *got.own != *want.own || got.own == nil && got.source != want.source {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
