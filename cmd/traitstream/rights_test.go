package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// right is a row of the list of rights in docs/operations.md.
type right struct {
	word    string // as Kafka calls it
	kind    string // of the resource: topic, group or transactional id
	name    string // of the resource
	prefix  bool   // the name begins so
	needed  []string
	warning bool // those that need it do without, and say so
}

var (
	rightsRow    = regexp.MustCompile("(?m)^\\| (\\w+) \\| (topic|group|transactional id)s? `([^`*]+)(\\*?)` \\| (.*) \\|$")
	quotedInCode = regexp.MustCompile("`([^`]+)`")
)

// documentedRights reads the list that the users of ACLs go by.
func documentedRights(t *testing.T) []right {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Rights\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var rights []right
	for _, m := range rightsRow.FindAllStringSubmatch(section, -1) {
		r := right{word: m[1], kind: m[2], name: m[3], prefix: m[4] != "", warning: strings.Contains(m[5], "warn")}
		for _, command := range quotedInCode.FindAllStringSubmatch(m[5], -1) {
			if !slices.Contains(commands, command[1]) {
				t.Errorf("%s: what becomes of %q is not tested", r, command[1])
			}
			r.needed = append(r.needed, command[1])
		}
		rights = append(rights, r)
	}
	if rows := strings.Count(section, "\n| ") - 1; len(rights) == 0 || len(rights) != rows {
		t.Fatalf("of %d rights %d can be read", rows, len(rights))
	}
	return rights
}

func (r right) String() string {
	name := r.name
	if r.prefix {
		name += "*"
	}
	return r.word + " on " + r.kind + " " + name
}

// acl returns what grants the right to the user.
func (r right) acl(t *testing.T) *kadm.ACLBuilder {
	t.Helper()
	operation, err := kmsg.ParseACLOperation(r.word)
	if err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	pattern := kadm.ACLPatternLiteral
	if r.prefix {
		pattern = kadm.ACLPatternPrefixed
	}
	b := kadm.NewACLs().Allow("User:" + rightsUser).AllowHosts().ResourcePatternType(pattern).Operations(operation)
	switch r.kind {
	case "topic":
		return b.Topics(r.name)
	case "group":
		return b.Groups(r.name)
	}
	return b.TransactionalIDs(r.name)
}

// isNamed tells whether a command says that the right is missing, on what, and
// what to do.
func (r right) isNamed(text string) bool {
	_, advice, found := strings.Cut(text, "allow this user ")
	return found && strings.Contains(text, r.kind) && strings.Contains(text, r.name) && strings.Contains(advice, r.word)
}

func (r right) neededBy(command string) bool { return slices.Contains(r.needed, command) }

// The README's sentence on ACLs is the same list.
func TestReadmeNamesTheRights(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rights := documentedRights(t)
	words := func(kind string, prefix, always bool) string {
		var all []string
		for _, r := range rights {
			if r.kind == kind && r.prefix == prefix && (kind != "topic" || prefix || always == r.neededBy("run")) {
				all = append(all, r.word)
			}
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	want := fmt.Sprintf("ACLs: %s on sources (for `import` and `dlq replay` %s); %s on `traitstream-*`; %s on group `traitstream`; %s on transactional ids `traitstream-*`.",
		words("topic", false, true), words("topic", false, false), words("topic", true, true), words("group", false, true), words("transactional id", true, true))
	if !strings.Contains(strings.Join(strings.Fields(string(text)), " "), want) {
		t.Errorf("the README does not say: %s", want)
	}
}
