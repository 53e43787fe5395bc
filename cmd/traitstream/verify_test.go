package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/state"
	"traitstream/verify"
)

// newVerified is a world in which some impressions were processed.
func newVerified(t *testing.T) world {
	t.Helper()
	w := newWorld(t, fmt.Sprintf("http: {listen: %q}\nstate: {dir: data}\n", freeAddress(t)))
	var lines strings.Builder
	for second, treatment := range []string{"off", "on"} {
		for user := range 5 {
			lines.WriteString(segmentEvent(fmt.Sprintf("u%d", user), "f", treatment, second))
		}
	}
	succeed(t, "import", "-c", w.config, write(t, w.dir, "in.jsonl", lines.String()))
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	return w
}

// remove puts a removal of a user's trait into the traits topic.
func (w world) remove(user string) {
	w.Helper()
	w.produce(w.client, &kgo.Record{
		Topic: "traitstream-traits", Partition: kafka.Partition([]byte(user), createdPartitions),
		Key: fmt.Appendf(nil, `{"identity":"user","id":%q,"trait":"f"}`, user),
	})
}

func TestVerify(t *testing.T) {
	w := newVerified(t)
	got := succeed(t, "verify", "-c", w.config)
	for _, want := range []string{
		"impressions  10  read in 10 records\n", "traits        5  compared, with 10 records of the traits topic\n",
		"local state   5  records compared\n", "differences   0\n", "compared at impressions 0@0-", "compared at traitstream-traits 0@",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %q", got, want)
		}
	}
	w.remove("u3")
	status, got, stderr := program(t, "", "verify", "-c", w.config)
	if first, _, _ := strings.Cut(got, "\n"); status != exitFailed || stderr != "" ||
		!strings.HasPrefix(first, `u3 f: the traits topic says nothing, recomputed "on" (seen 2026-03-02T10:00:01.000Z, impressions `) {
		t.Errorf("status %d, errors %q, output %q", status, stderr, got)
	}
	status, got, _ = program(t, "", "verify", "-c", w.config, "--format", "json", "--memory", "1", "--task", "0,1,2,3")
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	if status != exitFailed || len(lines) != 2 {
		t.Fatalf("status %d, %q; want a difference and a report", status, got)
	}
	var d jsonDifference
	var r jsonReport
	for i, to := range []any{&d, &r} {
		if err := json.Unmarshal([]byte(lines[i]), to); err != nil {
			t.Fatalf("%s: %v", lines[i], err)
		}
	}
	if d.Kind != "traits_topic" || *d.ID != "u3" || string(d.Found) != "null" || string(d.Recomputed) != `"on"` || *d.Topic != "traitstream-traits" {
		t.Errorf("%s", lines[0])
	}
	if r.Differences != 1 || r.Traits != 5 || *r.State.Compared != 5 || len(r.Passes) != 1 || len(r.Passes[0].Offsets) != 12 {
		t.Errorf("%s", lines[1])
	}
}

// What the group has not come to is counted, and what was configured otherwise
// when the traits were computed is told with the differences.
func TestVerifyTellsWhatChanged(t *testing.T) {
	w := newVerified(t)
	succeed(t, "import", "-c", w.config, write(t, w.dir, "more.jsonl", segmentEvent("u1", "f", "off", 9)+segmentEvent("u2", "f", "off", 9)))
	got := succeed(t, "verify", "-c", w.config)
	if want := "not processed   2  records of the sources, which are not compared\n"; !strings.Contains(got, want) || strings.Contains(got, "note: ") {
		t.Errorf("%s\nlacks %q", got, want)
	}
	w.create("other", 1)
	other := write(t, w.dir, "other.yaml", fmt.Sprintf(
		"kafka: {brokers: [%q]}\nstate: {dir: data}\nhttp: {listen: \"127.0.0.1:0\"}\nsources: [{topic: other}]\ntraits: [{name: g}]\n", w.brokers[0]))
	for range 2 { // before a run with the new configuration and after it
		w.remove("nobody")
		status, got, stderr := program(t, "", "verify", "-c", other, "--format", "json")
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		var r jsonReport
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
			t.Fatalf("%s, %s: %v", got, stderr, err)
		}
		if status != exitFailed || len(r.Notes) != 2 || !strings.Contains(r.Notes[0], "not those in force") ||
			!strings.Contains(r.Notes[1], "no longer sources (impressions)") || r.Unprocessed != 0 {
			t.Errorf("status %d, errors %q, report %s", status, stderr, lines[len(lines)-1])
		}
		succeed(t, "run", "-c", other, "--until-caught-up")
	}
	if _, got, _ := program(t, "", "verify", "-c", other); strings.Count(got, "\nnote: ") != 2 {
		t.Errorf("as text: %s", got)
	}
}

// Without a state folder none is made; with one that is in use or another's the
// rest is compared.
func TestVerifyWithoutState(t *testing.T) {
	w := newVerified(t)
	held, err := state.Open(state.Options{Dir: filepath.Join(w.dir, "held"), App: "traitstream", ClusterID: "?"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := held.Close(); err != nil {
			t.Error(err)
		}
	}()
	other, err := state.Open(state.Options{Dir: filepath.Join(w.dir, "other"), App: "another", ClusterID: "?"})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"none": "there is none in ", "held": "in use by another process (pid", "other": `holds the state of app "another"`,
	} {
		config := write(t, w.dir, "elsewhere.yaml", fmt.Sprintf("kafka: {brokers: [%q]}\nstate: {dir: %s}\n", w.brokers[0], dir))
		status, got, stderr := program(t, "", "verify", "-c", config)
		if status != exitDone || !strings.Contains(stderr, "the local state is not compared: ") || !strings.Contains(stderr, want) ||
			strings.Contains(got, "local state") || !strings.Contains(got, "traits        5") {
			t.Errorf("%s: status %d, errors %q, output %q", dir, status, stderr, got)
		}
	}
	if _, err := os.Stat(filepath.Join(w.dir, "none")); !os.IsNotExist(err) {
		t.Errorf("the state folder: %v", err)
	}
}

// Many differences are cut as text.
func TestVerifyMany(t *testing.T) {
	w := newVerified(t)
	for user := range shownDifferences + 50 {
		w.remove(fmt.Sprintf("v%d", user)) // a removal of what never was, without its headers
	}
	for _, c := range []struct {
		args  []string
		lines int
		more  bool
	}{{nil, shownDifferences + 1, true}, {[]string{"--all"}, shownDifferences + 50, false}} {
		_, got, _ := program(t, "", append([]string{"verify", "-c", w.config}, c.args...)...)
		told, _, _ := strings.Cut(got, "impressions  ")
		if n := strings.Count(told, "\n"); n != c.lines || strings.Contains(told, "and 50 more; --all prints them\n") != c.more {
			t.Errorf("%v: %d lines: %s", c.args, n, told)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	w := newWorld(t, "")
	w.create("impressions", 1)
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, exitFailed, "there is nothing to verify: topic traitstream-traits does not exist; run creates it"},
		{[]string{"--memory", "0"}, exitUsage, "--memory"},
		{[]string{"all"}, exitUsage, "all"},
		{[]string{"--task", "x"}, exitUsage, "--task"},
	} {
		status, stdout, stderr := program(t, "", append([]string{"verify", "-c", w.config}, c.args...)...)
		if status != c.status || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, output %q, errors %q", c.args, status, stdout, stderr)
		}
	}
	v := newVerified(t)
	if status, _, stderr := program(t, "", "verify", "-c", v.config, "--task", "4"); status != exitUsage || !strings.Contains(stderr, "the tasks are 0 to 3") {
		t.Errorf("status %d, errors %q", status, stderr)
	}
}

// What replays have filled in and not sent is told by itself.
func TestVerifyTellsWhatWasNotSent(t *testing.T) {
	r := &verify.Report{Traits: 9, NotSent: map[string]int64{"20261126-183510-0a1b": 2, "20261126-183511-0a1b": 1}}
	for format, want := range map[string]string{
		"text": "not sent yet  2  filled in by replay job 20261126-183510-0a1b, emit none\n" +
			"not sent yet  1  filled in by replay job 20261126-183511-0a1b, emit none\n",
		"json": `"not_sent":{"20261126-183510-0a1b":2,"20261126-183511-0a1b":1}`,
	} {
		var text bytes.Buffer
		p := &verifyPrinter{out: bufio.NewWriter(&text), json: format == "json"}
		if err := errors.Join(p.report(r), p.out.Flush()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s\nlacks %q", text.String(), want)
		}
	}
}
