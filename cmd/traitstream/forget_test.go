package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"traitstream/fleet"
)

// A user is forgotten from beside a run: the receipt names what tap shows, and
// nothing of others goes.
func TestForget(t *testing.T) {
	s := newStage(t, "output: {partitions: 3}\n")
	file := write(t, s.dir, "in.jsonl", segmentEvent("u1", "f", "on", 1)+segmentEvent("u1", "g", "on", 1)+segmentEvent("u2", "f", "on", 1))
	r := s.run(t)
	succeed(t, "import", "-c", s.config, file)
	r.until("three traits are there", func() bool { return len(s.values(t)) == 3 })

	list := write(t, s.dir, "users.txt", "u1\r\n\nnobody\nu1\n")
	out := succeed(t, "forget", "-c", s.config, "--file", list, "--yes")
	var receipt struct {
		fleet.Receipt
		NotDone []string `json:"not_done"`
	}
	if err := json.Unmarshal([]byte(out), &receipt); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if len(receipt.Users) != 2 || len(receipt.Users[0].Traits) != 2 || len(receipt.Users[1].Traits) != 0 || len(receipt.NotDone) == 0 {
		t.Errorf("the receipt is %s", out)
	}
	for _, removed := range receipt.Users[0].Traits {
		if line := s.tapped(t, removed.Place); !strings.Contains(line, removed.ChangeID) || !strings.Contains(line, "forgotten") {
			t.Errorf("%+v is %s", removed, line)
		}
	}
	succeed(t, "import", "-c", s.config, file) // late
	succeed(t, "forget", "-c", s.config, "--yes", "--trait", "g", "u2")
	r.until("all is read", func() bool { return strings.Contains(get(s.http, "/metrics"), `result="late",source="impressions"} 2`) })
	if values := s.values(t); len(values) != 1 || values[0] != "u2" {
		t.Errorf("left are %v", values)
	}
	if status := r.stop(); status != 0 {
		t.Errorf("status %d: %s", status, r.stderr)
	}
}

// tapped returns the line of a record of the traits topic.
func (s stage) tapped(t *testing.T, at fleet.LogPlace) string {
	t.Helper()
	for line := range strings.Lines(succeed(t, "tap", "-c", s.config, "--until-end", "--format", "json")) {
		if strings.Contains(line, fmt.Sprintf(`"partition":%d,"offset":%d,`, at.Partition, at.Offset)) {
			return line
		}
	}
	return "nothing"
}

// values returns the users of the traits that have a value, one for each.
func (s stage) values(t *testing.T) []string {
	t.Helper()
	last := map[string]string{}
	for line := range strings.Lines(succeed(t, "tap", "-c", s.config, "--until-end", "--format", "json")) {
		var r struct {
			Key   json.RawMessage
			Value *struct{ ID string }
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		delete(last, string(r.Key))
		if r.Value != nil {
			last[string(r.Key)] = r.Value.ID
		}
	}
	var users []string
	for _, user := range last {
		users = append(users, user)
	}
	return users
}

func TestForgetUsage(t *testing.T) {
	dir := t.TempDir()
	list := write(t, dir, "users.txt", "u1\n"+strings.Repeat("x", 1025)+"\n")
	empty := write(t, dir, "empty.txt", "\n")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"forget"}, "name one user"},
		{[]string{"forget", "u1", "u2"}, "accepts at most 1 arg"},
		{[]string{"forget", "u1", "--file", list}, "name one user"},
		{[]string{"forget", "u1"}, "--yes"},
		{[]string{"forget", "--file", "-"}, "--yes"},
		{[]string{"forget", "", "--yes"}, "not empty"},
		{[]string{"forget", "u1", "--identity", "somebody", "--yes"}, "user or anonymous"},
		{[]string{"forget", "u1", "--trait", "", "--yes"}, "--trait is empty"},
		{[]string{"forget", "u1", "--timeout", "0s", "--yes"}, "--timeout"},
		{[]string{"forget", "--file", list, "--yes"}, "users.txt:2"},
		{[]string{"forget", "--file", empty, "--yes"}, "names no user"},
		{[]string{"forget", "--file", dir + "/none", "--yes"}, "none"},
	} {
		status, stdout, stderr := program(t, "u1\n", c.args...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, c.says) {
			t.Errorf("%q: status %d, output %q, errors %q", c.args, status, stdout, stderr)
		}
	}
}

// A list is read as spreadsheets and other systems write it.
func TestForgottenUsers(t *testing.T) {
	list := write(t, t.TempDir(), "users.txt", "\ufeffu1\r\n u 2 \n\r\nu1\n\ufeffu1\nu\x003")
	users, err := new(Main).forgottenUsers(t.Context(), forgetOptions{file: list}, nil)
	if want := []string{"u1", " u 2 ", "\ufeffu1", "u\x003"}; err != nil || !slices.Equal(users, want) {
		t.Errorf("%q, %v, want %q", users, err, want)
	}
}

// Without anybody to do it the command says what it waits for, gives up in time, and
// the user is forgotten as soon as somebody runs.
func TestForgetWithoutARun(t *testing.T) {
	w := newWorld(t, fmt.Sprintf("http: {listen: %q}\nstate: {dir: data}\n", freeAddress(t)))
	w.create("impressions", 2)
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	begun := time.Now()
	status, stdout, stderr := program(t, "", "forget", "-c", w.config, "u1", "--yes", "--timeout", "2s")
	if status != exitFailed || stdout != "" || !strings.Contains(stderr, "waiting for the processes") || !strings.Contains(stderr, "stand in traitstream-inbox") {
		t.Errorf("status %d, output %q, errors %q", status, stdout, stderr)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// In Avro the tombstones have the keys of the changes, or compaction would keep
// both, and the receipt finds them.
func TestForgetInAvro(t *testing.T) {
	s := newStage(t, fmt.Sprintf("output: {format: avro, partitions: 2}\nschema_registry: {url: %q}\n", newFakeRegistry(t, 2).URL()))
	file := write(t, s.dir, "in.jsonl", segmentEvent("u1", "f", "on", 1)+segmentEvent("u2", "f", "on", 1))
	r := s.run(t)
	succeed(t, "import", "-c", s.config, file)
	r.until("two traits are there", func() bool { return len(s.values(t)) == 2 })
	var receipt fleet.Receipt
	if out := succeed(t, "forget", "-c", s.config, "--yes", "u1"); json.Unmarshal([]byte(out), &receipt) != nil || len(receipt.Users) != 1 || len(receipt.Users[0].Traits) != 1 {
		t.Fatalf("the receipt is %s", out)
	}
	if values := s.values(t); len(values) != 1 || values[0] != "u2" {
		t.Errorf("left are %v", values)
	}
	succeed(t, "verify", "-c", s.config)
	if status := r.stop(); status != 0 {
		t.Errorf("status %d: %s", status, r.stderr)
	}
}

// Only the receipt needs the registry: while that is away the user is forgotten all
// the same, and the command says so; when it comes back, the receipt is there.
func TestForgetWhileTheRegistryIsAway(t *testing.T) {
	reg := newFakeRegistry(t, 2)
	s := newStage(t, fmt.Sprintf("output: {format: avro, partitions: 2}\nschema_registry: {url: %q, timeout: 1s}\n", reg.URL()))
	r := s.run(t)
	succeed(t, "import", "-c", s.config, write(t, s.dir, "in.jsonl", segmentEvent("u1", "f", "on", 1)+segmentEvent("u2", "f", "on", 1)+segmentEvent("u3", "f", "on", 1)))
	r.until("three traits are there", func() bool { return len(s.values(t)) == 3 })
	var refusals atomic.Int32 // how many requests it does not answer yet
	refusals.Store(math.MaxInt32)
	reg.Intercept(func(out http.ResponseWriter, _ *http.Request) bool {
		away := refusals.Add(-1) >= 0
		if away {
			out.WriteHeader(http.StatusServiceUnavailable)
		}
		return away
	})
	status, stdout, stderr := program(t, "", "forget", "-c", s.config, "--yes", "u1", "--timeout", "3s")
	if status != exitFailed || stdout != "" || !strings.Contains(stderr, "the receipt waits for the schema registry") || !strings.Contains(stderr, "all are forgotten") || !strings.Contains(stderr, "given again") {
		t.Errorf("status %d, output %q, errors %q", status, stdout, stderr)
	}
	refusals.Store(1)
	var receipt fleet.Receipt
	if out := succeed(t, "forget", "-c", s.config, "--yes", "u2"); json.Unmarshal([]byte(out), &receipt) != nil || len(receipt.Users) != 1 || len(receipt.Users[0].Traits) != 1 {
		t.Errorf("the receipt is %s", out)
	}
	if values := s.values(t); len(values) != 1 || values[0] != "u3" {
		t.Errorf("left are %v", values)
	}
	if status := r.stop(); status != 0 {
		t.Errorf("status %d: %s", status, r.stderr)
	}
}
