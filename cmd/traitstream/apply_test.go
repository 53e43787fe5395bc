package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// applied is a stage whose definitions change.
type applied struct{ stage }

// traits writes the configuration with other traits.
func (s applied) traits(t *testing.T, traits string) {
	t.Helper()
	if got := write(t, s.dir, "c.yaml", fmt.Sprintf("kafka: {brokers: [%q]}\nhttp: {listen: %q}\nstate: {dir: data}\nprocessor: {session_timeout: 6s}\ntraits: %s\n",
		s.broker, s.http, traits)); got != s.config {
		t.Fatal("the configuration went elsewhere")
	}
}

// table returns the traits that a subscriber ends with, as user/trait=value.
func (s applied) table(t *testing.T) string {
	t.Helper()
	last := map[string]string{}
	var order []string
	for line := range strings.Lines(succeed(t, "tap", "-c", s.config, "--until-end", "--format", "json")) {
		var r struct {
			Key   struct{ ID, Trait string }
			Value *struct{ Value json.RawMessage }
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		key := r.Key.ID + "/" + r.Key.Trait
		if _, ok := last[key]; !ok {
			order = append(order, key)
		}
		last[key] = "-"
		if r.Value != nil {
			last[key] = string(r.Value.Value)
		}
	}
	var text []string
	for _, key := range order {
		text = append(text, key+"="+last[key])
	}
	return strings.Join(text, " ")
}

// Definitions are changed, removed and brought back while a process runs, and all that
// was seen before counts.
func TestApply(t *testing.T) {
	s := applied{newStage(t, "")}
	s.traits(t, `[{name: "{split}"}]`)
	r := s.run(t)
	succeed(t, "import", "-c", s.config, write(t, s.dir, "one.jsonl",
		segmentEvent("u", "f", "on", 1)+segmentEvent("u", "g", "off", 1)+segmentEvent("v", "f", "off", 2)))
	r.until("three changes are out", func() bool { return strings.Count(s.table(t), "=") == 3 })

	if got := succeed(t, "apply", "-c", s.config); !strings.Contains(got, "nothing to do") {
		t.Errorf("what is in force: %s", got)
	}
	s.traits(t, `[{name: "{split}", where: {treatment: on}}, {name: "seen_{split}", description: All of them}]`)
	if _, _, stderr := program(t, "", "validate", "--connect", "-c", s.config); !strings.Contains(stderr, "not those in force (generation 0)") {
		t.Errorf("validate: %s", stderr)
	}
	got := succeed(t, "apply", "-c", s.config, "--dry-run")
	if want := "against generation 0, which is in force:\n\n  ~ changed  {split}\n  + added    seen_{split}\n"; !strings.HasPrefix(got, want) {
		t.Errorf("the plan is\n%s\nwant\n%s", got, want)
	}
	if got := succeed(t, "apply", "-c", s.config, "--yes", "--reason", "for a test"); !strings.HasSuffix(got, "generation 1 is in force\n") {
		t.Errorf("apply: %s", got)
	}
	if got := s.table(t); strings.Count(got, "=") != 6 || !strings.Contains(got, `u/f="on"`) || !strings.Contains(got, "u/g=-") ||
		!strings.Contains(got, "v/f=-") || !strings.Contains(got, `v/seen_f="off"`) {
		t.Errorf("the traits are %s", got)
	}
	succeed(t, "import", "-c", s.config, write(t, s.dir, "two.jsonl", segmentEvent("v", "f", "on", 3)))
	r.until("what comes is computed by them", func() bool {
		got := s.table(t)
		return strings.Contains(got, `v/f="on"`) && strings.Contains(got, `v/seen_f="on"`)
	})
	succeed(t, "verify", "-c", s.config)

	if got := succeed(t, "definitions", "-c", s.config); !strings.Contains(got, "generation 1, in force since") || !strings.Contains(got, "All of them") {
		t.Errorf("definitions: %s", got)
	}
	if got := succeed(t, "definitions", "show", "0", "-c", s.config); !strings.Contains(got, "name: '{split}'") {
		t.Errorf("definitions show: %s", got)
	}
	if got := succeed(t, "definitions", "rollback", "0", "-c", s.config, "--yes"); !strings.HasSuffix(got, "generation 2 is in force\n") {
		t.Errorf("rollback: %s", got)
	}
	if got := succeed(t, "definitions", "history", "-c", s.config); strings.Count(got, "in force") != 1 || strings.Count(got, "replaced") != 2 ||
		!strings.Contains(got, "for a test") || !strings.Contains(got, "rollback to generation 0") {
		t.Errorf("definitions history:\n%s", got)
	}
	if got := s.table(t); !strings.Contains(got, `u/g="off"`) || !strings.Contains(got, "u/seen_f=-") {
		t.Errorf("the traits are %s", got)
	}
	r.stop()

	r = s.run(t) // by what is in force, which is not the file's
	if !strings.Contains(r.stderr.String(), "not those in force") || !strings.Contains(get(s.http, "/metrics"), `traitstream_definitions_in_force{in_sync="false"} 2`) {
		t.Errorf("that the file differs is not told: %s", r.stderr)
	}
	r.stop()
	r = s.run(t, "--apply")
	r.until("the file's are in force", func() bool {
		return strings.Contains(succeed(t, "definitions", "-c", s.config), "generation 3, in force")
	})
	if status, got, _ := program(t, "", "verify", "-c", s.config); status != exitDone {
		t.Errorf("verify: %s", got)
	}
	if got := s.table(t); !strings.Contains(got, `u/seen_g="off"`) {
		t.Errorf("the traits are %s", got)
	}
	r.stop()
}

// What can't be applied is told.
func TestApplyBadInput(t *testing.T) {
	s := applied{newStage(t, "")}
	s.traits(t, `[{name: "{split}"}]`)
	r := s.run(t)
	s.traits(t, `[{name: "{splt}"}]`)
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"apply"}, exitUsage, "c.yaml:5:"},
		{[]string{"definitions", "cancel", "0"}, exitUsage, "c.yaml:5:"},
	} {
		if status, _, stderr := program(t, "", append(c.args, "-c", s.config)...); status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %s", c.args, status, stderr)
		}
	}
	s.traits(t, `[{name: "other_{split}"}]`)
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"apply"}, exitUsage, "say --yes"},
		{[]string{"apply", "--rate", "-1"}, exitUsage, "--rate"},
		{[]string{"definitions", "cancel", "0"}, exitFailed, "generation 0 of the definitions is not being prepared"},
		{[]string{"definitions", "show", "9"}, exitFailed, "there is no generation 9; the last one is 0"},
		{[]string{"definitions", "rollback", "x", "--yes"}, exitUsage, "not the number of a generation"},
	} {
		if status, _, stderr := program(t, "", append(c.args, "-c", s.config)...); status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %s", c.args, status, stderr)
		}
	}
	r.stop()
}

// A process that is to put its file's definitions in force, and comes while others are on
// their way, does so when these have ended; one whose definitions these are joins in.
func TestRunApplyWaits(t *testing.T) {
	s := applied{newStage(t, "")}
	s.traits(t, `[{name: "{split}"}]`)
	r := s.run(t)
	var impressions strings.Builder
	for i := range 100 {
		impressions.WriteString(segmentEvent(fmt.Sprint("u", i), "f", "on", 1))
	}
	succeed(t, "import", "-c", s.config, write(t, s.dir, "in.jsonl", impressions.String()))
	r.until("all is out", func() bool { return strings.Count(s.table(t), "=") == 100 })

	other := func(name, traits string) string {
		return write(t, t.TempDir(), name, fmt.Sprintf("kafka: {brokers: [%q]}\nhttp: {listen: %q}\nstate: {dir: data}\nprocessor: {session_timeout: 6s}\ntraits: %s\n",
			s.broker, freeAddress(t), traits))
	}
	slow := other("slow.yaml", `[{name: "slow_{split}"}]`)
	began := start(t, "apply", "-c", slow, "--yes", "--rate", "1")
	began.until("it is on its way", func() bool { return strings.Contains(began.stderr.String(), "generation 1 is computed from history") })

	joined := start(t, "run", "-c", slow, "--apply")
	joined.until("it has joined in", func() bool { return strings.Contains(joined.stderr.String(), "are on their way already") })
	waits := start(t, "run", "-c", other("waits.yaml", `[{name: "{split}"}, {name: "seen_{split}"}]`), "--apply", "--until-caught-up")
	waits.until("it says that it tries again", func() bool {
		return strings.Contains(waits.stderr.String(), "trying again") && strings.Contains(waits.stderr.String(), "generation 1 is on its way already")
	})
	succeed(t, "definitions", "cancel", "1", "-c", s.config)
	if status := began.wait(); status != exitFailed || !strings.Contains(began.stderr.String(), "generation 1 was cancelled") {
		t.Errorf("apply ends with %d: %s", status, began.stderr)
	}
	if status := waits.wait(); status != exitDone || !strings.Contains(waits.stderr.String(), "are computed from history") {
		t.Errorf("run --until-caught-up ends with %d: %s", status, waits.stderr)
	}
	if n := strings.Count(waits.stderr.String(), "trying again"); n != 1 {
		t.Errorf("that it tries again is told %d times", n)
	}
	if got := succeed(t, "definitions", "-c", s.config); !strings.Contains(got, "generation 2, in force since") || !strings.Contains(got, "seen_{split}") {
		t.Errorf("definitions: %s", got)
	}
	if got := s.table(t); strings.Count(got, "=") != 200 || strings.Contains(got, "slow") {
		t.Errorf("the traits are %s", got)
	}
	joined.stop()
	r.stop()
}

// Under on_change: apply a file counts once it has changed: a process with an old one, which
// starts again while a new one is rolled out, does not put it back, and one whose file goes
// back does.
func TestOnChange(t *testing.T) {
	s := applied{newStage(t, "")}
	const before, after = `[{name: "{split}"}]`, `[{name: "{split}"}, {name: "seen_{split}"}]`
	s.traits(t, before)
	r := s.run(t)
	old, rolled := t.TempDir(), t.TempDir()
	for _, step := range []struct {
		dir, traits, says, inForce string
	}{
		{old, before, "", "generation 0, in force"},
		{rolled, before, "", "generation 0, in force"},
		{rolled, after, "are computed from history", "generation 1, in force"},
		{old, before, "the file has not changed", "generation 1, in force"},
		{rolled, after, "", "generation 1, in force"},
		{rolled, before, "are computed from history", "generation 2, in force"},
		{old, before, "", "generation 2, in force"},
	} {
		file := write(t, step.dir, "c.yaml", fmt.Sprintf(
			"kafka: {brokers: [%q]}\nhttp: {listen: %q}\nstate: {dir: data}\ndefinitions: {on_change: apply}\ntraits: %s\n", s.broker, freeAddress(t), step.traits))
		status, _, stderr := program(t, "", "run", "-c", file, "--until-caught-up")
		told := strings.Contains(stderr, "the definitions in the configuration") || strings.Contains(stderr, "other definitions")
		if status != exitDone || !strings.Contains(stderr, step.says) || told != (step.says != "") {
			t.Errorf("%+v ends with %d: %s", step, status, stderr)
		}
		if got := succeed(t, "definitions", "-c", s.config); !strings.Contains(got, step.inForce) {
			t.Errorf("after %+v: %s", step, got)
		}
	}
	r.stop()
}
