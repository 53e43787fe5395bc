package main

import (
	"strings"
	"testing"
)

// Who mistypes a command or an option is told what there is, before anything is read or
// connected to.
func TestWrongUse(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"aply", `unknown command "aply" for "traitstream": did you mean apply? (`},
		{"Explian u t", `unknown command "Explian" for "traitstream": did you mean explain? (`},
		{"replya start", `unknown command "replya" for "traitstream": did you mean replay? (`},
		{"replay stat", `unknown command "stat" for "traitstream replay": did you mean start? (`},
		{"definitions roll 0", `unknown command "roll" for "traitstream definitions": did you mean rollback? (`},
		{"dlq reply", `unknown command "reply" for "traitstream dlq": did you mean replay? (`},
		{"whatever", "unknown command \"whatever\" for \"traitstream\" (`traitstream --help` lists what there is)\n"},
		{"delive", "unknown command \"delive\" for \"traitstream\" (`traitstream --help` lists what there is)\n"},
		{"apply --yse", "unknown flag: --yse: did you mean --yes? (`traitstream apply --help` lists what there is)\n"},
		{"replay start --form 1d", "unknown flag: --form: did you mean --format or --from? ("},
		{"replay start --dry", "unknown flag: --dry: did you mean --dry-run? ("},
		{"get u --at-rset", "unknown flag: --at-rset: did you mean --at-rest? ("},
		{"verify -tsk 1", "unknown shorthand flag: 't' in -tsk: did you mean --task? ("},
		{"apply --xy", "unknown flag: --xy ("},
		{"preview new.yaml", "traitstream preview takes no arguments, but \"new.yaml\" is one: the configuration goes behind -c\n"},
		{"replay start now", "traitstream replay start takes no arguments, but \"now\" is one\n"},
		{"replay pause", "accepts 1 arg(s), received 0 (usage: traitstream replay pause JOB [flags])\n"},
		{"explain u", "accepts 2 arg(s), received 1 (usage: traitstream explain USER TRAIT [flags])\n"},
		{"definitions show 1 2", "(usage: traitstream definitions show [GENERATION] [flags])\n"},
	} {
		status, stdout, stderr := program(t, "", strings.Fields(c.line)...)
		if status != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "traitstream: ") || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: status %d, output %q, errors %q", c.line, status, stdout, stderr)
		}
	}
}

// What can't be meant is told though no broker answers.
func TestWrongUseWithoutBroker(t *testing.T) {
	nowhere := write(t, t.TempDir(), "c.yaml", "kafka: {brokers: [127.0.0.1:1]}\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"definitions", "show", "x"}, `"x" is not the number of a generation`},
		{[]string{"definitions", "show", "-1"}, "-1"},
		{[]string{"definitions", "show", "4294967296"}, "not the number of a generation"},
		{[]string{"definitions", "cancel", "last"}, "not the number of a generation"},
		{[]string{"definitions", "rollback", "0.5", "--yes"}, "not the number of a generation"},
		{[]string{"definitions", "rollback", "0", "--yes", "--timeout", "-1s"}, "--timeout"},
		{[]string{"apply", "--timeout", "-1s"}, "--timeout"},
		{[]string{"apply", "--rate", "fast"}, "a number of records a second from 1"},
		{[]string{"replay", "start", "--rate", "x"}, "a number of records a second from 1"},
		{[]string{"replay", "start", "--from", "soon"}, "--from"},
		{[]string{"replay", "start", "--from", "1d", "--to", "2d"}, "not before"},
		{[]string{"replay", "start", "--from-offset", "impressions/0"}, "TOPIC/PARTITION/OFFSET"},
		{[]string{"replay", "start", "--emit", "some"}, "changes, all or none"},
		{[]string{"replay", "show", ""}, "the id of the job is empty"},
		{[]string{"replay", "wait", "x", "--timeout", "0s"}, "--timeout"},
		{[]string{"replay", "wait", "x", "--timeout", "soon"}, "such as 90s, 1h or 2d"},
		{[]string{"preview", "--since", "yesterday"}, "--since"},
		{[]string{"preview", "--sample", "-1"}, "--sample"},
		{[]string{"verify", "--task", "-1"}, "--task"},
		{[]string{"verify", "--task", "all"}, "--task"},
		{[]string{"get", ""}, "user"},
		{[]string{"get", "u", "--ask", "here"}, "host:port"},
		{[]string{"explain", "u", ""}, "a trait's name"},
		{[]string{"forget", "u", "--yes", "--timeout", "0s"}, "--timeout"},
		{[]string{"dlq", "show", "first"}, "first"},
		{[]string{"dlq", "replay", "--limit", "0"}, "--limit"},
	} {
		status, stdout, stderr := program(t, "", append(c.args, "-c", nowhere)...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "127.0.0.1:1") {
			t.Errorf("%v: status %d, output %q, errors %q", c.args, status, stdout, stderr)
		}
	}
}
