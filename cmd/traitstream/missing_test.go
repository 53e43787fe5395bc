package main

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// processed is a world in which one impression was processed.
func processed(t *testing.T) world {
	t.Helper()
	w := newWorld(t, "state: {dir: data}\nhttp: {listen: \"127.0.0.1:0\"}\n")
	succeed(t, "import", "-c", w.config, write(t, w.dir, "one.jsonl", segmentEvent("u", "f", "on", 1)))
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	return w
}

// deleteTopics deletes topics.
func (w world) deleteTopics(topics ...string) {
	w.Helper()
	deleted, err := kadm.NewClient(w.client).DeleteTopics(w.limit(), topics...)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		w.Fatal(err)
	}
}

// A changelog that was deleted is not created empty, whatever is left of the
// state; once the group's offsets are gone too, all is computed anew.
func TestDeletedChangelog(t *testing.T) {
	w := processed(t)
	const changelog = "traitstream-last-seen-changelog"
	w.deleteTopics(changelog)
	before := w.topics()
	for _, args := range [][]string{
		{"run", "--until-caught-up"}, {"run", "--until-caught-up", "--reset-state"}, {"validate", "--connect"}, {"verify"},
	} {
		status, stdout, stderr := program(t, "", append(args, "-c", w.config)...)
		if status != exitFailed || !strings.Contains(stderr, "topic "+changelog+" is missing, but group traitstream has committed offsets") {
			t.Errorf("%v: status %d, output %q, errors %q", args, status, stdout, stderr)
		}
		if args[0] == "validate" && (strings.Contains(stdout, "run creates it") || !strings.Contains(stdout, "missing; run refuses to create it")) {
			t.Errorf("%v prints %s", args, stdout)
		}
	}
	if after := w.topics(); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("the topics are %v", after)
	}
	if _, err := kadm.NewClient(w.client).DeleteGroup(w.limit(), "traitstream"); err != nil {
		t.Fatal(err)
	}
	succeed(t, "run", "-c", w.config, "--until-caught-up", "--reset-state")
	if n := w.count("traitstream-traits"); n != 2 {
		t.Errorf("the traits topic has %d changes, want the one again", n)
	}
}

// Another topic that was deleted is created again; what is lost with it is said
// before and when it is.
func TestDeletedTraits(t *testing.T) {
	w := processed(t)
	w.deleteTopics("traitstream-traits", "traitstream-inbox")
	for _, args := range [][]string{{"validate", "--connect"}, {"run", "--until-caught-up"}} {
		status, stdout, stderr := program(t, "", append(args, "-c", w.config)...)
		if status != exitDone || !strings.Contains(stderr, "the new one holds only changes from now on") || !strings.Contains(stderr, "are lost") {
			t.Errorf("%v: status %d, output %q, errors %q", args, status, stdout, stderr)
		}
	}
	if _, _, stderr := program(t, "", "run", "-c", w.config, "--until-caught-up"); strings.Contains(stderr, "now on") {
		t.Errorf("it goes on warning: %s", stderr)
	}
}
