package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"traitstream/explorer"
	"traitstream/internal/oracle"
	"traitstream/kafka"
)

const getToken = "0123456789abcdef"

// lookupWorld is a broker with two tasks, each with ten users, and a process for
// each of them.
type lookupWorld struct {
	*statusWorld
	configs   []string // of the processes; the last is the command's
	processes []*running
}

func newLookupWorld(t *testing.T) *lookupWorld {
	t.Helper()
	w := &lookupWorld{statusWorld: newStatusWorld(t)}
	w.create("impressions", 2)
	seed(w.world, 20)
	for _, name := range []string{"one", "two"} {
		w.configs = append(w.configs, w.guarded(name, "token: "+getToken))
		w.processes = append(w.processes, start(t, "run", "-c", w.configs[len(w.configs)-1], "--leave"))
	}
	w.config = w.configs[0]
	w.processes[1].until("each has a task and nothing to do", func() bool {
		tasks, all := w.look()
		return all.Group.Processes == 2 && states(tasks) == "running running" && tasks[0].Owner.Process != tasks[1].Owner.Process && all.LagRecords == 0
	})
	return w
}

// guarded returns the configuration of a process.
func (w *statusWorld) guarded(name, more string) string {
	return write(w.T, w.dir, name+".yaml", fmt.Sprintf(
		"kafka: {brokers: [%q]}\nhttp: {listen: \"127.0.0.1:0\", %s}\nstate: {dir: %s}\noutput: {partitions: 2}\n"+
			"processor: {workers: 1, session_timeout: 6s}\n", w.brokers[0], more, name))
}

// addresses are where the processes that have the tasks answer, by task.
func (w *lookupWorld) addresses() []string {
	w.Helper()
	tasks, _ := w.look()
	var all []string
	for _, t := range tasks {
		all = append(all, t.Owner.HTTP)
	}
	return all
}

// told reads lines of traits.
func told(t *testing.T, out string) (all []explorer.Trait) {
	t.Helper()
	for line := range strings.Lines(out) {
		var one explorer.Trait
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, one)
	}
	return all
}

// Whichever process is asked, the one that has the task tells; and when its task
// goes elsewhere, so do the questions.
func TestGetFromWhoHasIt(t *testing.T) {
	w := newLookupWorld(t)
	addresses := w.addresses()
	for i := range 20 {
		user := fmt.Sprintf("user-%d", i)
		task := kafka.Partition([]byte(user), 2)
		want := told(t, succeed(t, "get", "-c", w.config, "--format", "json", user))
		if len(want) != 1 || string(want[0].Value) != `"on"` || want[0].Origin.Task != task || want[0].Origin.Kind != explorer.FromOwner {
			t.Errorf("%s: %+v", user, want)
		}
		for _, address := range addresses {
			got := told(t, succeed(t, "get", "-c", w.config, "--format", "json", "--ask", address, user, "f"))
			if len(got) != 1 || got[0].Origin != want[0].Origin || *got[0].ChangeID != *want[0].ChangeID {
				t.Errorf("%s at %s: %+v, want %+v", user, address, got, want)
			}
		}
	}

	if status := w.processes[0].stop(); status != exitDone {
		t.Fatalf("status %d: %s", status, w.processes[0].stderr)
	}
	w.processes[1].until("one has both tasks", func() bool {
		tasks, all := w.look()
		return all.Group.Processes == 1 && states(tasks) == "running running"
	})
	instance := told(t, succeed(t, "get", "-c", w.config, "--format", "json", "user-1"))[0].Origin.Instance
	for i := range 20 {
		got := told(t, succeed(t, "get", "-c", w.config, "--format", "json", fmt.Sprintf("user-%d", i)))
		if len(got) != 1 || got[0].Origin.Instance != instance {
			t.Errorf("%+v", got)
		}
	}

	if status := w.processes[1].stop(); status != exitDone {
		t.Fatalf("status %d: %s", status, w.processes[1].stderr)
	}
	status, stdout, stderr := program(t, "", "get", "-c", w.config, "user-1")
	if status != exitFailed || stdout != "" || !strings.Contains(stderr, "nobody is in the group") {
		t.Errorf("without a process: status %d, %q, %q", status, stdout, stderr)
	}
}

// Who does not show the token is told nothing, by whichever process.
func TestGetNeedsTheToken(t *testing.T) {
	w := newLookupWorld(t)
	path := "/v1/users/user/user-1/traits"
	for _, address := range w.addresses() {
		if code, body := page(t, address, path); code != http.StatusUnauthorized || strings.Contains(body, "on") && !strings.Contains(body, "token") {
			t.Errorf("%s: %d %s", address, code, body)
		}
	}
	for _, more := range []string{"", "token: fedcba9876543210"} {
		status, stdout, stderr := program(t, "", "get", "-c", w.guarded("stranger", more), "user-1")
		if status != exitFailed || stdout != "" || !strings.Contains(stderr, "http.token") {
			t.Errorf("with %q: status %d, %q, %q", more, status, stdout, stderr)
		}
	}
	for _, p := range w.processes {
		p.stop()
	}
}

// The token goes to no process but the one that the group means.
func TestGetTrustsNoStranger(t *testing.T) {
	w := newStatusWorld(t)
	w.create("impressions", 2)
	seed(w.world, 2)
	stranger := answer(t, says(http.StatusOK, `{"instance":"stranger"}`))
	r := start(t, "run", "-c", w.guarded("one", fmt.Sprintf("token: %s, advertise: %q", getToken, stranger)))
	r.until("it has the tasks", func() bool { _, all := w.look(); return all.Owned == 2 })
	status, stdout, stderr := program(t, "", "get", "-c", w.guarded("one", "token: "+getToken), "user-1")
	if status != exitFailed || stdout != "" || !strings.Contains(stderr, "another process answers: stranger") {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
}

// While its state is restored a task tells nothing.
func TestGetWhileItRestores(t *testing.T) {
	w := newStatusWorld(t)
	w.create("impressions", 2)
	seed(w.world, 20)
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	w.hold()
	r := start(t, "run", "-c", w.process("b", "127.0.0.1:0"))
	r.until("it restores both tasks", func() bool { tasks, _ := w.look(); return states(tasks) == "restoring restoring" })
	status, stdout, stderr := program(t, "", "get", "-c", w.config, "user-1")
	if status != exitFailed || stdout != "" || !strings.Contains(stderr, "being restored") {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	w.held.Store(false)
	r.until("it is restored", func() bool { tasks, _ := w.look(); return states(tasks) == "running running" })
	if got := succeed(t, "get", "-c", w.config, "user-1"); !strings.Contains(got, `"on"`) {
		t.Errorf("%s", got)
	}
}

// storyOf leaves out of a story what is another each time.
func storyOf(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		rest = strings.TrimSpace(rest)
		if i := strings.Index(rest, ", with timestamp"); i >= 0 {
			rest = "ID" + rest[i+len(", with timestamp 2026-11-26 18:40:40.693 UTC"):]
		}
		if i := strings.Index(rest, " UTC, "); i >= 0 {
			rest = rest[:i+4] + strings.TrimLeft(rest[i+6:], "0123456789 dhmins")
		}
		switch {
		case name == "forgotten":
			_, rest, _ = strings.Cut(rest, "; ")
			rest = rest[:len("what was seen up to")]
		case name == "told by" && strings.Contains(rest, " at "):
			rest = strings.Fields(rest)[0] + " at PROCESS"
		case name == "told by" && strings.Contains(rest, " in folder "):
			rest = "task in folder"
		case name == "told by":
			rest = strings.Split(rest, ",")[0]
		}
		lines = append(lines, name+": "+rest)
	}
	return strings.Join(lines, "\n") + "\n"
}

// explain tells the same story by whom it is told, at rest too, also of what is
// not there any more, in JSON and in Avro.
func TestExplain(t *testing.T) {
	for format, yaml := range map[string]string{
		"json": "output: {partitions: 3}\n",
		"avro": fmt.Sprintf("output: {format: avro, partitions: 3}\nschema_registry: {url: %q}\n", newFakeRegistry(t, 2).URL()),
	} {
		t.Run(format, func(t *testing.T) {
			explain(t, newStage(t, yaml+"traits: [{name: \"{split}\", not_served: clear, expire_after: 3650d}]\n"))
		})
	}
}

func explain(t *testing.T, s stage) {
	r := s.run(t)
	file := write(t, s.dir, "in.json", strings.Join([]string{
		strings.Replace(segmentEvent("u1", "f", "off", 1), `"environmentName":"Prod"`, `"environmentName":"Prod","label":"a rule"`, 1),
		strings.Replace(segmentEvent("u1", "f", "on", 2), `"environmentName":"Prod"`, `"splitVersionNumber":7`, 1),
		segmentEvent("u1", "f", "on", 5),
		segmentEvent("u1", "g", "v1", 3), segmentEvent("u1", "g", "control", 4),
		segmentEvent("u1", "h", "on", 1), segmentEvent("u1", "i", "control", 1), segmentEvent("u2", "f", "on", 1),
	}, ""))
	succeed(t, "import", "-c", s.config, file)
	r.until("all is read", func() bool { return strings.Contains(get(s.http, "/metrics"), `result="same",source="impressions"} 1`) })
	succeed(t, "forget", "-c", s.config, "--yes", "u1", "--trait", "h")
	succeed(t, "forget", "-c", s.config, "--yes", "u2")

	const value = "user: u1 (user)\ntrait: f\nvalue: \"on\"\n"
	const change = "changed: 2026-03-02 10:00:02.000 UTCago; before that it was \"off\"\nby: impressions, partition 1, offset 1\nflag: f, version 7\n"
	const expires = "expires: 2036-02-28 10:00:05.000 UTCunless it is seen again\n"
	const removed = "user: u1 (user)\ntrait: g\nvalue: none: it is not served where it was seen last\n"
	stories := func(toldBy string, args ...string) {
		t.Helper()
		for _, c := range []struct {
			user, trait string
			status      int
			want        string
		}{
			{"u1", "f", exitDone, value + "last seen: 2026-03-02 10:00:05.000 UTCago\n" + change + "definition: {split}, generation 0\nchange: ID\n" + expires + toldBy},
			{"u1", "g", exitDone, removed + "last seen: 2026-03-02 10:00:04.000 UTCago\nchanged: 2026-03-02 10:00:04.000 UTCago; before that it was \"v1\"\n" +
				"by: impressions, partition 1, offset 4\nflag: g, version 0, environment Prod\ndefinition: {split}, generation 0\nchange: ID, which removed it: not served\n" +
				"expires: 2036-02-28 10:00:04.000 UTCunless it is seen again\n" + toldBy},
			{"u1", "h", exitDone, "user: u1 (user)\ntrait: h\nvalue: none: it is forgotten\nforgotten: what was seen up to\n" + toldBy},
			{"u2", "f", exitDone, "user: u2 (user)\ntrait: f\nvalue: none: it is forgotten\nforgotten: what was seen up to\n" + toldBy},
			{"u1", "j", exitFailed, "user: u1 (user)\ntrait: j\nvalue: none: it is unknown: never seen, or removed since\n" + toldBy},
		} {
			status, stdout, stderr := program(t, "", append([]string{"explain", "-c", s.config, c.user, c.trait}, args...)...)
			if got := storyOf(stdout); status != c.status || stderr != "" || got != c.want {
				t.Errorf("%s %s %v: status %d %s:\n%swant\n%s", c.user, c.trait, args, status, stderr, got, c.want)
			}
		}
		if status, _, stderr := program(t, "", append([]string{"get", "-c", s.config, "u2"}, args...)...); status != exitFailed || !strings.Contains(stderr, `user "u2" was forgotten at `) {
			t.Errorf("%v: status %d, %s", args, status, stderr)
		}
		if status, _, stderr := program(t, "", append([]string{"get", "-c", s.config, "u1", "g"}, args...)...); status != exitFailed || !strings.Contains(stderr, "not served where it was seen last") {
			t.Errorf("%v: status %d, %s", args, status, stderr)
		}
		if status, _, stderr := program(t, "", append([]string{"get", "-c", s.config, "--identity", "anonymous", "u1"}, args...)...); status != exitFailed || !strings.Contains(stderr, `nothing is known of anonymous "u1"`) {
			t.Errorf("%v: status %d, %s", args, status, stderr)
		}
	}
	stories("told by: task at PROCESS\n")

	for name, want := range map[string]string{
		"f": value + "first seen: 2026-03-02 10:00:02.000 UTCago\n" + change + "definition: {split}\nchange: ID\ntold by: traitstream-traits\n",
		"g": removed + "change: ID, which removed it: not served\ntold by: traitstream-traits\n",
		"h": "user: u1 (user)\ntrait: h\nvalue: none: it is forgotten\nchange: ID, which removed it: forgotten\ntold by: traitstream-traits\n",
	} {
		if got := storyOf(succeed(t, "explain", "-c", s.config, "--at-rest=topic", "u1", name)); got != want {
			t.Errorf("%s in the topic:\n%swant\n%s", name, got, want)
		}
	}
	if got := told(t, succeed(t, "get", "-c", s.config, "--at-rest=topic", "--format", "json", "u1")); len(got) != 1 || got[0].Trait != "f" {
		t.Errorf("in the topic are %+v", got)
	}
	if status, _, stderr := program(t, "", "get", "-c", s.config, "--at-rest", "u1"); status != exitFailed || !strings.Contains(stderr, "in use by another process") || !strings.Contains(stderr, "ask it") {
		t.Errorf("while it runs: status %d, %s", status, stderr)
	}
	if status := r.stop(); status != exitDone {
		t.Fatalf("status %d: %s", status, r.stderr)
	}
	stories("told by: task in folder\n", "--at-rest") // without brokers
	moved := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(filepath.Join(s.dir, "data"), moved); err != nil {
		t.Fatal(err)
	}
	stories("told by: task in folder\n", "--at-rest", "--state-dir", moved)
	if status, _, stderr := program(t, "", "get", "-c", s.config, "--at-rest", "u1"); status != exitFailed || !strings.Contains(stderr, "there is no state in it") {
		t.Errorf("without a folder: status %d, %s", status, stderr)
	}
}

func TestGetUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"get"}, "accepts between 1 and 2 arg"},
		{[]string{"explain", "u1"}, "accepts 2 arg"},
		{[]string{"get", ""}, "1 to 1024 bytes"},
		{[]string{"get", strings.Repeat("u", 1025)}, "1 to 1024 bytes"},
		{[]string{"get", "u\xff"}, "UTF-8"},
		{[]string{"get", "u1", ""}, "1 to 4096 bytes"},
		{[]string{"explain", "u1", strings.Repeat("t", 4097)}, "1 to 4096 bytes"},
		{[]string{"get", "u1", "--identity", "somebody"}, "user or anonymous"},
		{[]string{"get", "u1", "--at-rest=disk"}, "folder or topic"},
		{[]string{"get", "u1", "--state-dir", "a"}, "--state-dir goes with --at-rest"},
		{[]string{"get", "u1", "--state-dir", "a", "--at-rest=topic"}, "--state-dir goes with --at-rest"},
		{[]string{"get", "u1", "--at-rest", "--ask", "a:1"}, "--at-rest does not"},
		{[]string{"get", "u1", "--ask", "a"}, "host:port"},
	} {
		status, stdout, stderr := program(t, "", c.args...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, c.says) {
			t.Errorf("%.60q: status %d, output %q, errors %q", c.args, status, stdout, stderr)
		}
	}
}

// What get tells of each user is what the traits topic has after compaction, with
// the time that the oracle says it was seen last: asked, and at rest. (In each, what
// was read is made of exports of every shape.)
func TestGetAgreesWithTheTopicAndTheOracle(t *testing.T) {
	for name, setup := range oracleSetups {
		t.Run(name, func(t *testing.T) { compareGet(t, setup) })
	}
}

func compareGet(t *testing.T, setup oracleSetup) {
	s := newStage(t, setup.yaml)
	paths, records, _ := oracleRecords(t, s.dir, setup.source.Topic, oracle.Generate(7, oracle.Options{Users: 12, Events: 400, Faults: 0.1}), false)
	want := oracle.Run([]oracle.Source{setup.source}, setup.defs, 10*time.Minute, records)
	r := s.run(t)
	succeed(t, append([]string{"import", "-c", s.config, "--record-time", "2026-03-02T10:20:00Z"}, paths...)...)
	r.until("all is merged", func() bool {
		return strings.Contains(succeed(t, "status", "-c", s.config, "--dead-letters", "none"), "all is processed")
	})

	users := map[string][2]string{}
	seen := map[string]string{} // by key, as JSON
	for key, v := range want.Traits {
		users[key.Identity+" "+key.User] = [2]string{key.Identity, key.User}
		seen[key.JSON()] = time.UnixMilli(v.SeenAt).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	table := compactedValues(t, s)
	for key, value := range table {
		value["seen_at"] = seen[key]
	}
	for _, args := range [][]string{nil, {"--at-rest"}} {
		if args != nil {
			if status := r.stop(); status != exitDone {
				t.Fatalf("status %d: %s", status, r.stderr)
			}
		}
		got := map[string]map[string]any{}
		for _, user := range users {
			_, stdout, _ := program(t, "", append([]string{"get", "-c", s.config, "--format", "json", "--identity", user[0], user[1]}, args...)...)
			for line := range strings.Lines(stdout) {
				value := object(t, line)
				got[keyOf(t, value)] = value
			}
		}
		if len(got) != len(table) || len(got) == 0 {
			t.Errorf("%v: %d traits, want %d", args, len(got), len(table))
		}
		for key, value := range table {
			for name, fact := range value {
				if g, w := fmt.Sprint(got[key][name]), fmt.Sprint(fact); g != w {
					t.Errorf("%v: %s of %s is %s, want %s", args, name, key, g, w)
				}
			}
		}
	}
}

// compactedValues are the values of the traits topic by their keys.
func compactedValues(t *testing.T, s stage) map[string]map[string]any {
	t.Helper()
	table := map[string]map[string]any{}
	for line := range strings.Lines(succeed(t, "tap", "-c", s.config, "--until-end", "--format", "json")) {
		r := object(t, line)
		key := keyOf(t, r["key"].(map[string]any))
		delete(table, key)
		if value, ok := r["value"].(map[string]any); ok {
			table[key] = value
		}
	}
	return table
}

func object(t *testing.T, line string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return v
}

// keyOf returns the key of a value as the oracle writes it.
func keyOf(t *testing.T, v map[string]any) string {
	t.Helper()
	if !slices.Contains(slices.Collect(maps.Keys(v)), "trait") {
		t.Fatalf("%v has no trait", v)
	}
	return oracle.Key{Identity: v["identity"].(string), User: v["id"].(string), Trait: v["trait"].(string)}.JSON()
}
