package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/impression"
	"traitstream/kafka"
)

var examples = []string{
	"split-webhook.json", "segment-track.jsonl", "listener.jsonl", "synchronizer.jsonl", "bulk.json", "s3-export.jsonl", "bad.jsonl",
}

// Of each example, both topics.
func TestGolden(t *testing.T) {
	for _, name := range examples {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			o.Lines = name == "bad.jsonl" // its first line is broken
			counts := w.file(o, example(name))
			golden(t, name, fmt.Sprintf("%d impressions, %d skipped, refused %v\n\n%s\n%s",
				counts.Impressions, counts.Skipped, counts.Refused, dump(w.records(target.Name)), dump(w.records(deadLetters.Name))))
		})
	}
}

// What is imported reads like the file: the same impressions, each alone in its
// record, in the partition of its user.
func TestImportedReadsLikeTheFile(t *testing.T) {
	for _, name := range examples {
		w := newWorld(t)
		o := w.options()
		o.Lines = strings.HasSuffix(name, "l")
		counts := w.file(o, example(name))

		text, err := os.ReadFile(example(name))
		if err != nil {
			t.Fatal(err)
		}
		values := [][]byte{text}
		if o.Lines {
			values = bytes.Split(bytes.TrimSpace(text), []byte("\n"))
		}
		want, refused := impressions(o, values...)
		var got []string
		records := w.records(target.Name)
		for _, r := range records {
			one, bad := impressions(o, r.Value)
			if len(one) != 1 || bad > 0 {
				t.Errorf("%s: %s holds %v", name, r.Value, one)
			}
			got = append(got, one...)
			if p := kafka.Partition(r.Key, target.Partitions); p != r.Partition {
				t.Errorf("%s: user %q in partition %d, not %d", name, r.Key, r.Partition, p)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) || int(counts.Impressions) != len(want) {
			t.Errorf("%s: %d imported, got\n%s\nwant\n%s", name, counts.Impressions, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if dead := len(w.records(deadLetters.Name)); dead != refused || len(w.events) != refused {
			t.Errorf("%s: %d dead letters, %d told, want %d", name, dead, len(w.events), refused)
		}
	}
}

// impressions decodes values and returns the facts of what is accepted.
func impressions(o Options, values ...[]byte) (accepted []string, refused int) {
	d := impression.NewDecoder(o.Source, o.Filter)
	for _, value := range values {
		for _, e := range d.Decode(nil, value) {
			switch i := e.Impression; e.Outcome {
			case impression.Accepted:
				accepted = append(accepted, fmt.Sprintf("%d %q %q %q %d %d %q %q %q", i.Identity, i.User, i.Flag, i.Treatment,
					i.SeenAt, i.Version, i.Label, i.EnvironmentName, i.EnvironmentID))
			case impression.Refused:
				refused++
			}
		}
	}
	return accepted, refused
}

func TestImportedTwiceIsTheSame(t *testing.T) {
	for _, name := range examples {
		var dumps [2]string
		for n := range dumps {
			w := newWorld(t)
			o := w.options()
			o.Lines = name == "bad.jsonl"
			w.file(o, example(name))
			for _, topic := range []string{target.Name, deadLetters.Name} {
				for _, r := range w.records(topic) {
					if !r.Timestamp.Equal(importTime) {
						t.Fatalf("stamped %v, want %v", r.Timestamp, importTime)
					}
					dumps[n] += fmt.Sprintf("%d %q %q %q\n", r.Partition, r.Key, r.Value, r.Headers)
				}
			}
		}
		if dumps[0] != dumps[1] || dumps[0] == "" {
			t.Errorf("%s: first\n%s\nthen\n%s", name, dumps[0], dumps[1])
		}
	}
}

func TestStampedWithTheTimeOfImport(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Now = nil
	before := time.Now().Truncate(time.Millisecond)
	w.text(o, `{"key":"u","split":"f","treatment":"on","time":1772446530123}`)
	if r := w.records(target.Name)[0]; r.Timestamp.Before(before) || r.Timestamp.After(time.Now()) {
		t.Errorf("stamped %v, not after %v", r.Timestamp, before)
	}
}

// Every element has the line on which it stands, through arrays and groups.
func TestLinesOfElements(t *testing.T) {
	pretty := func(name string) string {
		text, err := os.ReadFile(example(name))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		for line := range bytes.Lines(text) {
			if json.Valid(text) {
				line = text
			}
			if err := json.Indent(&b, line, "", " "); err != nil {
				t.Fatal(err)
			}
			if json.Valid(text) {
				break
			}
		}
		return b.String()
	}
	for name, key := range map[string]string{
		"split-webhook.json": `"key": `, "listener.jsonl": `"keyName": `, "synchronizer.jsonl": `"keyName": `, "bulk.json": `"k": `,
	} {
		w := newWorld(t)
		text := pretty(name)
		counts := w.text(w.options(), text)
		lines := strings.Split(text, "\n")
		records := w.records(target.Name)
		if len(records) != int(counts.Impressions) || len(records) < 10 || len(w.events) > 0 {
			t.Fatalf("%s: %d records, %v", name, len(records), w.events)
		}
		for _, r := range records {
			line := 0
			if _, err := fmt.Sscan(string(r.Headers[1].Value), &line); err != nil {
				t.Fatal(err)
			}
			// The user's name follows the brace that opens the element.
			user, _ := json.Marshal(string(r.Key))
			near := strings.Join(lines[line-1:min(line+6, len(lines))], "\n")
			if !strings.HasPrefix(strings.TrimSpace(near), "{") || !strings.Contains(near, key+string(user)) {
				t.Errorf("%s: user %s at line %d:\n%s", name, user, line, near)
			}
		}
	}
}

func TestDeadLetters(t *testing.T) {
	w := newWorld(t)
	good := `{"key":"u","split":"f","treatment":"on","time":1772446530123}`
	counts := w.text(w.options(), strings.Join([]string{
		good,
		`[` + good + `,{"key":"u","treatment":"on"},7]`,
		``,
		`{"broken`,
		`{"type":"identify","userId":"u"}`,
	}, "\n"))
	want := map[impression.Reason]int64{impression.MissingFlag: 1, impression.UnknownShape: 1, impression.Malformed: 1}
	if counts.Impressions != 2 || counts.Skipped != 1 || !maps.Equal(counts.Refused, want) {
		t.Errorf("got %+v", counts)
	}
	if want := []string{"-:2: missing_flag", "-:2: unknown_shape", "-:4: malformed"}; !slices.Equal(w.events, want) {
		t.Errorf("told %v, want %v", w.events, want)
	}
	golden(t, "dead-letters", dump(w.records(deadLetters.Name)))
}

// What no topic takes is refused, and cut as the dead letters take it.
func TestTooLarge(t *testing.T) {
	element := func(size int) string {
		text := `{"key":"u","split":"f","treatment":"on","time":1772446530123,"x":""}`
		return strings.Replace(text, `"x":"`, `"x":"`+strings.Repeat("y", size-len(text)), 1)
	}
	fits := int(target.MaxMessageBytes) - overhead - len("u-")
	limit := int(deadLetters.MaxMessageBytes) - reserve
	w := newWorld(t)
	counts := w.text(w.options(), element(fits)+"\n"+element(fits+1)+"\n"+element(limit)+"\n"+element(limit+1)+"\n")
	if counts.Impressions != 1 || counts.Refused[TooLarge] != 3 {
		t.Fatalf("got %+v", counts)
	}
	records := w.records(deadLetters.Name)
	slices.SortFunc(records, func(a, b *kgo.Record) int { return len(a.Value) + len(a.Headers) - len(b.Value) - len(b.Headers) })
	for n, want := range []struct{ size, headers int }{{fits + 1, 7}, {limit, 7}, {limit, 8}} {
		if r := records[n]; len(r.Value) != want.size || len(r.Headers) != want.headers {
			t.Errorf("dead letter of %d bytes and %d headers, want %+v", len(r.Value), len(r.Headers), want)
		}
	}
	if last := records[2].Headers[7]; last.Key != "__traitstream.errors.truncated" || string(last.Value) != "true" {
		t.Errorf("got header %v", last)
	}
}

// The elements of an array that goes out in parts are counted through.
func TestIndexThroughParts(t *testing.T) {
	w := newWorld(t)
	j := newJob(w.importer(w.options()), "-", func(err error) { w.Error(err) })
	j.value(w.limit(), value{json: []byte(`[1,2]`), line: 1}, 0)
	if n := j.value(w.limit(), value{json: []byte(`[3]`), line: 1, continues: true}, 2); n != 1 {
		t.Errorf("%d elements, want 1", n)
	}
	j.value(w.limit(), value{json: []byte(`[4`), line: 1, continues: true, fault: "broken"}, 3)
	if err := j.flush(w.limit()); err != nil {
		t.Fatal(err)
	}
	for n, r := range w.records(deadLetters.Name) {
		if h := r.Headers[1]; h.Key != "__traitstream.errors.index" || string(h.Value) != fmt.Sprint(n) {
			t.Errorf("%s: %s = %s, want %d", r.Value, h.Key, h.Value, n)
		}
	}
}

func TestWithoutDeadLetters(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.DeadLetters = kafka.Topic{}
	if counts := w.text(o, "oops\n"); counts.Refused[impression.Malformed] != 1 || len(w.events) != 1 {
		t.Errorf("got %+v, %v", counts, w.events)
	}
}

func TestMetadataIsIgnored(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	for _, name := range []string{"_SUCCESS", "_committed_2026", "_started_1", "empty.json", "empty.gz", "empty.zst"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if counts := w.file(w.options(), path); counts.Impressions+int64(len(counts.Refused)) != 0 {
			t.Errorf("%s: %+v", name, counts)
		}
	}
	if len(w.events) != 3 {
		t.Errorf("told %v", w.events)
	}
}

func TestErrors(t *testing.T) {
	w := newWorld(t)
	i := w.importer(w.options())
	for path, want := range map[string]string{
		"missing.json": "opening missing.json: no such file or directory",
		"testdata":     "opening testdata: this is a directory: name the files in it",
		"-":            "opening -: no standard input here",
	} {
		if err := i.File(w.limit(), path); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	cancelled, cancel := context.WithCancel(w.limit())
	cancel()
	if err := i.File(cancelled, example("bulk.json")); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("cancelled: %v", err)
	}
}

// The first record that the broker refuses ends the import.
func TestProduceError(t *testing.T) {
	w := newWorld(t)
	for want, topic := range map[string]kafka.Topic{
		"importing -: producing to topic impressions: ":                         {Name: target.Name, Partitions: 100, MaxMessageBytes: 1 << 20},
		"importing -: producing to topic nowhere: UNKNOWN_TOPIC_OR_PARTITION: ": {Name: "nowhere", Partitions: 1, MaxMessageBytes: 1 << 20},
	} {
		o := w.options()
		o.Target = topic
		o.Stdin = strings.NewReader(strings.Repeat(`{"key":"user-2","split":"f","treatment":"on","time":1772446530123}`+"\n", 10))
		if err := w.importer(o).File(w.limit(), "-"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(o *Options){
		"no client":          func(o *Options) { o.Client = nil },
		"no topic":           func(o *Options) { o.Target.Name = "" },
		"no partitions":      func(o *Options) { o.Target.Partitions = 0 },
		"small dead letters": func(o *Options) { o.DeadLetters.MaxMessageBytes = reserve },
	} {
		o := w.options()
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
