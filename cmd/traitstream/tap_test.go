package main

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
)

func at(second int) time.Time {
	return time.Date(2026, 3, 2, 10, 0, second, 0, time.UTC)
}

// newTapWorld returns a broker whose traits topic has two partitions with what
// a reader meets: committed, aborted and plain records, a removal, oddities.
func newTapWorld(t *testing.T) world {
	w := newWorld(t, "")
	const topic = "traitstream-traits"
	w.create(topic, 2)
	txn := w.newClient(kgo.TransactionalID("writer"))
	transaction := func(end kgo.TransactionEndTry, records ...*kgo.Record) {
		if err := txn.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		w.produce(txn, records...)
		if err := txn.EndTransaction(w.limit(), end); err != nil {
			t.Fatal(err)
		}
	}
	record := func(partition int32, second int, key, value string, headers ...kgo.RecordHeader) *kgo.Record {
		return &kgo.Record{Topic: topic, Partition: partition, Timestamp: at(second), Key: []byte(key), Value: []byte(value), Headers: headers}
	}
	header := func(key, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: []byte(value)} }
	removal := record(1, 4, `{"identity":"user","id":"u1","trait":"f"}`, "",
		header(schemas.HeaderChangeID, "00ff"), header(schemas.HeaderApp, "traitstream"), header(schemas.HeaderReason, "not_served"))
	removal.Value = nil

	transaction(kgo.TryCommit, record(1, 1, `{"identity":"user","id":"u1","trait":"f"}`, "{ \"value\": \"on\",\n \"previous\": null }", header(schemas.HeaderChangeID, "00fe")))
	transaction(kgo.TryAbort, record(1, 2, "aborted", "aborted"), record(0, 2, "aborted", "aborted"))
	w.produce(w.client, record(0, 3, "kunde-zoë", "not JSON\x1b[2J", header("n", "1")))
	transaction(kgo.TryCommit, removal)
	w.produce(w.client, record(0, 5, "\xff\xfe", `[1.50, "\ud83d\ude00<"]`), record(0, 6, "1042", ""))
	transaction(kgo.TryAbort, record(0, 7, "aborted", "aborted"))
	return w
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// What is committed is printed up to the end, though the last offsets hold what
// was aborted, partition by partition.
func TestTapUntilEnd(t *testing.T) {
	w := newTapWorld(t)
	golden(t, "tap.txt", succeed(t, "tap", "-c", w.config, "--until-end"))
	out := succeed(t, "tap", "-c", w.config, "--until-end", "--format", "json")
	golden(t, "tap.jsonl", out)
	for line := range strings.Lines(out) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	for from, want := range map[string]string{
		"start":                "3,5,6,1,4",
		"2026-03-02T10:00:04Z": "5,6,4",
		"1772445604500":        "5,6",
		"2026-03-03":           "",
		"end":                  "",
	} {
		var seconds []string
		for line := range strings.Lines(succeed(t, "tap", "-c", w.config, "--until-end", "--from", from)) {
			s, err := strconv.Atoi(line[17:19])
			if err != nil {
				t.Fatal(err)
			}
			seconds = append(seconds, strconv.Itoa(s))
		}
		if got := strings.Join(seconds, ","); got != want {
			t.Errorf("from %s: records of %s, want %s", from, got, want)
		}
	}
}

func TestTapFollows(t *testing.T) {
	w := newTapWorld(t)
	r := start(t, "tap", "-c", w.config, "--from", "start", "--format", "json")
	r.until("all is printed", func() bool { return strings.Count(r.stdout.String(), "\n") == 5 })
	w.produce(w.client, &kgo.Record{Topic: "traitstream-traits", Key: []byte("new")})
	r.until("the new one is printed", func() bool { return strings.Contains(r.stdout.String(), `"key":"new"`) })
	if status := r.stop(); status != exitDone || r.stderr.String() != "" {
		t.Errorf("status %d, errors %q", status, r.stderr)
	}
	if n := strings.Count(r.stdout.String(), "\n"); n != 6 || strings.Contains(r.stdout.String(), "aborted") {
		t.Errorf("output is %s", r.stdout)
	}
}

// Without --from it begins at the end, wherever that is when it has come up.
func TestTapFollowsFromEnd(t *testing.T) {
	w := newTapWorld(t)
	r := start(t, "tap", "-c", w.config)
	r.until("a new record is printed", func() bool {
		w.produce(w.client, &kgo.Record{Topic: "traitstream-traits", Key: []byte("new")})
		return strings.Contains(r.stdout.String(), "  new  null\n")
	})
	if status := r.stop(); status != exitDone || strings.Contains(r.stdout.String(), "u1") {
		t.Errorf("status %d, output %s", status, r.stdout)
	}
}

// From a time on: that its transactions ended later does not count.
func TestTapFollowsFromTime(t *testing.T) {
	w := newTapWorld(t)
	r := start(t, "tap", "-c", w.config, "--from", "2026-03-02T10:00:06Z")
	r.until("new records are printed", func() bool {
		w.produce(w.client, &kgo.Record{Topic: "traitstream-traits", Key: []byte("new")},
			&kgo.Record{Topic: "traitstream-traits", Partition: 1, Key: []byte("old"), Timestamp: at(1)})
		return strings.Contains(r.stdout.String(), "  new  null\n")
	})
	if status := r.stop(); status != exitDone || !strings.Contains(r.stdout.String(), "  1042  ") ||
		strings.Contains(r.stdout.String(), "u1") || strings.Contains(r.stdout.String(), "old") {
		t.Errorf("status %d, output %s", status, r.stdout)
	}
}

func TestTapMissingTopic(t *testing.T) {
	w := newTapWorld(t)
	for _, args := range [][]string{{}, {"--until-end"}} {
		status, stdout, stderr := program(t, "", append([]string{"tap", "-c", w.config, "--topic", "traitstream-trait"}, args...)...)
		if status != exitFailed || stdout != "" ||
			!strings.HasPrefix(stderr, "traitstream: topic traitstream-trait does not exist: did you mean traitstream-traits?") {
			t.Errorf("%v: status %d, output %q, errors %q", args, status, stdout, stderr)
		}
	}
}

// A reader that has seen enough, such as head, is no failure, even if nothing
// more comes.
func TestTapWhoseReaderLeaves(t *testing.T) {
	w := newTapWorld(t)
	for _, args := range [][]string{{"--until-end"}, {"--from", "start"}, {}} {
		read, written, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := read.Close(); err != nil {
			t.Fatal(err)
		}
		var errs output
		m := &Main{Stdin: strings.NewReader(""), Stdout: written, Stderr: &errs}
		if status := m.Run(w.limit(), append([]string{"tap", "-c", w.config}, args...)); status != exitDone || errs.String() != "" {
			t.Errorf("%v: status %d, errors %q", args, status, &errs)
		}
		if err := written.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A dump that was interrupted must not be taken for whole.
func TestTapUntilEndInterrupted(t *testing.T) {
	w := newTapWorld(t)
	txn := w.newClient(kgo.TransactionalID("slow"))
	if err := txn.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	w.produce(txn, &kgo.Record{Topic: "traitstream-traits", Partition: 1, Key: []byte("open")})
	ctx, cancel := context.WithTimeout(w.limit(), 300*time.Millisecond)
	defer cancel()
	var out, errs output
	m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	if status := m.Run(ctx, []string{"tap", "-c", w.config, "--until-end"}); status != exitFailed || !strings.Contains(out.String(), "u1") {
		t.Errorf("status %d, output %q, errors %q", status, &out, &errs)
	}
	if err := txn.EndTransaction(w.limit(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
}
