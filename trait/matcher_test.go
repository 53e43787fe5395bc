package trait

import (
	"fmt"
	"testing"

	"traitstream/impression"
)

// S4, domain: which impressions count as served.
func TestS4Served(t *testing.T) {
	for _, test := range []struct {
		treatment, label string
		want             bool
	}{
		{"on", "default rule", true},
		{"on", "", true},
		{"on", "killed", true},
		{"on", "not in split", true},
		{"on", "prerequisites not met", true},
		{"on", "fallback", true},
		{"Control", "default rule", true},
		{"control", "default rule", false},
		{"control", "", false},
		{"on", "fallback - not ready", false},
		{"on", "fallback - ", false},
		{"on", "not ready", false},
		{"on", "definition not found", false},
		{"on", "exception", false},
		{"on", "targeting rule type unsupported by sdk", false},
		{"on", "matcher not found", false},
		{"on", "archived", false},
	} {
		var label []byte
		if test.label != "" {
			label = []byte(test.label)
		}
		if got := Served([]byte(test.treatment), label); got != test.want {
			t.Errorf("%s, %q served: %v", test.treatment, test.label, got)
		}
	}
}

func TestPolicies(t *testing.T) {
	for _, p := range []Policy{Ignore, Store, Clear} {
		if got, err := ParsePolicy(p.String()); err != nil || got != p {
			t.Errorf("%v becomes %v, %v", p, got, err)
		}
	}
	if _, err := ParsePolicy("stor"); err == nil || err.Error() != `unknown policy "stor": did you mean "store"?; allowed are ignore, store, clear` {
		t.Errorf("error %v", err)
	}
}

// found writes matches as text.
func found(matches []Match) (text string) {
	for _, m := range matches {
		text += fmt.Sprintf("%s=%s by %s;", m.Trait, m.Value, m.Definition.Name)
	}
	return text
}

func TestMatch(t *testing.T) {
	byFlag := Definition{Name: name(t, "{split}")}
	notServed := func(imp *impression.Impression) { imp.Treatment = []byte("control") }
	nothing := func(*impression.Impression) {}
	with := func(p Policy) Definition { return Definition{Name: name(t, "{split}"), NotServed: p} }
	property := func(p string) Definition { return Definition{Name: name(t, "x"), Property: "properties." + p} }
	for _, test := range []struct {
		what    string
		defs    []Definition
		change  func(*impression.Impression)
		want    string
		verdict Verdict
	}{
		{"plain", []Definition{byFlag}, nothing, `growth_checkout="on" by {split};`, Matched},
		{"escapes", []Definition{byFlag}, func(imp *impression.Impression) { imp.Treatment = []byte("a\"\n") },
			`growth_checkout="a\"\n" by {split};`, Matched},
		{"no definitions", nil, nothing, "", NoMatch},
		{"another event", []Definition{byFlag}, func(imp *impression.Impression) { imp.Event = []byte("seen") }, "", NoMatch},
		{"its event", []Definition{{Name: name(t, "x"), Event: "seen"}},
			func(imp *impression.Impression) { imp.Event = []byte("seen") }, `x="on" by x;`, Matched},
		{"no event", []Definition{{Name: name(t, "x"), Event: "seen"}}, nothing, `x="on" by x;`, Matched},
		{"several", []Definition{byFlag, {Name: name(t, "{split}@{environmentName}")}}, nothing,
			`growth_checkout="on" by {split};growth_checkout@Production="on" by {split}@{environmentName};`, Matched},
		{"one name twice", []Definition{{Name: name(t, "growth_{environmentId}")}, byFlag},
			func(imp *impression.Impression) { imp.EnvironmentID = []byte("checkout") }, `growth_checkout="on" by growth_{environmentId};`, Matched},
		{"a fact of the name is absent", []Definition{{Name: name(t, "{environmentName}")}, {Name: name(t, "x")}},
			func(imp *impression.Impression) { imp.EnvironmentName = nil }, `x="on" by x;`, Matched},
		{"text property", []Definition{property("s")}, nothing, `x="15.0" by x;`, Matched},
		{"number property", []Definition{property("n")}, nothing, `x=9007199254740993 by x;`, Matched},
		{"bool property", []Definition{property("b")}, nothing, `x=true by x;`, Matched},
		{"object property", []Definition{property("a")}, nothing, `x={"a":1} by x;`, Matched},
		{"absent property", []Definition{property("z")}, nothing, "", NoMatch},
		{"ignore", []Definition{with(Ignore)}, notServed, "", NotServed},
		{"store", []Definition{with(Store)}, notServed, `growth_checkout="control" by {split};`, Matched},
		{"clear", []Definition{with(Clear)}, notServed, `growth_checkout= by {split};`, Matched},
		{"clear, served", []Definition{with(Clear)}, nothing, `growth_checkout="on" by {split};`, Matched},
		{"ignore and no match", []Definition{with(Ignore), {Name: name(t, "x"), Where: []Condition{condition(t, "treatment", "equals", "on")}}},
			notServed, "", NotServed},
		{"absent property, not served", []Definition{property("z")}, notServed, "", NoMatch},
		{"no match, not served", []Definition{{Name: name(t, "x"), Where: []Condition{condition(t, "sdk", "equals", "js")}}}, notServed, "", NoMatch},
		{"ignore and store", []Definition{{Name: name(t, "x")}, {Name: name(t, "y"), NotServed: Store}}, notServed, `y="control" by y;`, Matched},
		{"where and any", []Definition{{
			Name:  name(t, "x"),
			Where: []Condition{condition(t, "sdk", "equals", "go"), condition(t, "split", "starts_with", "growth_")},
			Any:   [][]Condition{{condition(t, "treatment", "equals", "off")}, {condition(t, "label", "contains", "segment")}},
		}}, nothing, `x="on" by x;`, Matched},
		{"where without any", []Definition{{
			Name:  name(t, "x"),
			Where: []Condition{condition(t, "sdk", "equals", "go")},
			Any:   [][]Condition{{condition(t, "treatment", "equals", "off")}, {condition(t, "label", "contains", "beta")}},
		}}, nothing, "", NoMatch},
		{"any without where", []Definition{{
			Name:  name(t, "x"),
			Where: []Condition{condition(t, "sdk", "equals", "js")},
			Any:   [][]Condition{{condition(t, "treatment", "equals", "on")}},
		}}, nothing, "", NoMatch},
	} {
		for i := range test.defs {
			test.defs[i] = naming(t, test.defs[i])
		}
		s := set(t, test.defs...)
		imp := seen()
		test.change(imp)
		m := s.NewMatcher()
		matches, verdict := m.Match(nil, imp)
		if found(matches) != test.want || verdict != test.verdict {
			t.Errorf("%s: %s %d, want %s %d", test.what, found(matches), verdict, test.want, test.verdict)
		}
		for _, match := range matches {
			if match.Definition.NotServed == Clear && !Served(imp.Treatment, imp.Label) && match.Value != nil {
				t.Errorf("%s: the value is not none", test.what)
			}
		}
	}
}

// naming gives each property of seen its place in the filter, by a list of
// conditions that never holds.
func naming(t testing.TB, d Definition) Definition {
	never := []Condition{condition(t, "split", "not_exists", "true")}
	for _, p := range []string{"a", "b", "d", "e", "n", "s", "z"} {
		never = append(never, condition(t, "properties."+p, "exists", "true"))
	}
	if len(d.Any) == 0 {
		d.Any = [][]Condition{nil}
	}
	d.Any = append(d.Any, never)
	return d
}

// Matches live until Reset, however many come after them.
func TestMatchesLiveUntilReset(t *testing.T) {
	m := set(t, Definition{Name: name(t, "{split}")}).NewMatcher()
	var matches []Match
	for i := range 1000 {
		imp := &impression.Impression{Flag: fmt.Append(nil, "flag-", i), Treatment: fmt.Append(nil, "v", i)}
		matches, _ = m.Match(matches, imp)
		imp.Flag[0] = 'x'
	}
	for i := range matches {
		matches[i].Trait = append(matches[i].Trait, '!')
	}
	for i, match := range matches {
		if string(match.Trait) != fmt.Sprintf("flag-%d!", i) || string(match.Value) != fmt.Sprintf(`"v%d"`, i) {
			t.Fatalf("match %d is %s=%s", i, match.Trait, match.Value)
		}
	}
}

// rich is a definition with many kinds of conditions, all of which hold.
func rich(t testing.TB) Definition {
	return naming(t, Definition{Name: name(t, "{split}-{environmentName}"), Property: "properties.a", Where: []Condition{
		condition(t, "environmentName", "one_of", "Staging", "Production"),
		condition(t, "label", "not_contains", "beta"),
		condition(t, "splitVersionNumber", "at_least", "1665436973467"),
		condition(t, "source", "equals", "impressions"),
		condition(t, "properties.a", "contains", "a"),
		condition(t, "properties.n", "equals", "9007199254740993"),
		condition(t, "properties.s", "less_than", "15.5"),
		condition(t, "properties.d", "before", "2026-04-01T00:00:00+02:00"),
	}})
}

func TestMatchDoesNotAllocate(t *testing.T) {
	m := set(t, rich(t)).NewMatcher()
	imp := seen()
	var matches []Match
	var verdict Verdict
	if n := testing.AllocsPerRun(100, func() {
		m.Reset()
		matches, verdict = m.Match(matches[:0], imp)
	}); n != 0 || verdict != Matched {
		t.Errorf("%v allocations, verdict %d", n, verdict)
	}
}
