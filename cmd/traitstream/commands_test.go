package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	line := regexp.MustCompile(`^traitstream \S+ \(go1\.\S+, [a-z0-9]+/[a-z0-9]+\)\n$`)
	if got := succeed(t, "version"); !line.MatchString(got) {
		t.Errorf("got %q", got)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(succeed(t, "version", "--format", "json")), &got); err != nil {
		t.Fatal(err)
	}
	if got["version"] != version() || got["go"] != goVersion() || !strings.Contains(got["platform"], "/") || len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

// What a later version has takes any arguments, stays out of the help, and says
// so in one line.
func TestLaterCommands(t *testing.T) {
	help := succeed(t, "--help")
	for _, name := range []string{
		"replay", "deliver", "ingest",
	} {
		for _, args := range [][]string{{name}, {name, "user-1042", "--all", "-x"}, {"--format", "json", name, "--help"}} {
			status, stdout, stderr := program(t, "", args...)
			if status != exitUsage || stdout != "" || stderr != "traitstream: "+name+": not in this version\n" {
				t.Errorf("%v: status %d, output %q, errors %q", args, status, stdout, stderr)
			}
		}
		if strings.Contains(help, "\n  "+name+" ") {
			t.Errorf("the help names %s", name)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := succeed(t, "completion", shell); !strings.Contains(got, "traitstream") {
			t.Errorf("%s: %q", shell, got)
		}
	}
	if status, _, _ := program(t, "", "completion", "bash", "now"); status != exitUsage {
		t.Errorf("wrong arguments give status %d", status)
	}
	file := write(t, t.TempDir(), "c.yaml", "app: x\nsources: [{topic: a}, {topic: b}]")
	own := []string{"x-traits", "x-last-seen-changelog", "x-inbox", "x-control", "x-dead-letters"}
	for _, c := range []struct {
		args []string
		want []string // the last tells the shell what to do beyond: 0 files, 4 nothing, 8 files of these endings
	}{
		{[]string{"--format", ""}, []string{"text", "json", ":4"}},
		{[]string{"-c", ""}, []string{"yaml", "yml", ":8"}},
		{[]string{"tap", "--from", ""}, []string{"start", "end", ":4"}},
		{[]string{"tap", "-c", file, "--topic", ""}, append(slices.Clone(own), "a", "b", ":4")},
		{[]string{"import", "-c", file, "--topic", ""}, []string{"a", "b", ":4"}},
		{[]string{"import", ""}, []string{":0"}},
		{[]string{"demo", ""}, []string{":0"}},
		{[]string{"demo", "--users", ""}, []string{"all", ":4"}},
		{[]string{"validate", ""}, []string{":4"}},
		{[]string{"tap", "-c", "none.yaml", "--topic", ""}, []string{":1"}},
	} {
		got := strings.Fields(succeed(t, append([]string{"__complete"}, c.args...)...))
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
	}
}
