package trait

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func set(t testing.TB, defs ...Definition) *Set {
	t.Helper()
	s, err := NewSet(defs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSetErrors(t *testing.T) {
	wants := func(f string) []Condition { return []Condition{condition(t, "split", "equals", f)} }
	plain := Definition{Name: name(t, "{split}")}
	for _, test := range []struct {
		what  string
		defs  []Definition
		index int
		field string
		text  string
	}{
		{"no name", []Definition{{}}, 0, "name", "a trait needs a name"},
		{"the same name", []Definition{plain, {Name: name(t, "a")}, plain}, 2, "name", `"{split}" is that of trait 1 too`},
		{"unknown property", []Definition{{Name: name(t, "a"), Property: "treatmnt"}}, 0, "property", `did you mean "treatment"?`},
		{"a fact as property", []Definition{{Name: name(t, "a"), Property: "label"}}, 0, "property", "treatment and properties.NAME"},
		{"a property without name", []Definition{{Name: name(t, "a"), Property: "properties."}}, 0, "property", "unknown property"},
		{"an unknown policy", []Definition{{Name: name(t, "a"), NotServed: 9}}, 0, "not_served", "policy(9)"},
		{
			"policies disagree", []Definition{{Name: name(t, "{split}"), Where: wants("x_a")}, {Name: name(t, "x_{split}"), Where: wants("a"), NotServed: Clear}},
			1, "not_served",
			`"x_{split}" and "{split}" of trait 1 yield the same trait name, so they must agree, but it is clear here and ignore there`,
		},
		{
			"properties disagree", []Definition{{Name: name(t, "a_{split}"), Where: wants("b")}, {Name: name(t, "a_b"), Property: "properties.p"}},
			1, "property", "it is properties.p here and treatment there",
		},
	} {
		_, err := NewSet(test.defs)
		var wrong *DefinitionError
		if !errors.As(err, &wrong) || wrong.Index != test.index || wrong.Field != test.field || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: error %v, want trait %d, %s, %q", test.what, err, test.index, test.field, test.text)
		}
	}
}

func TestSetReportsEveryProblem(t *testing.T) {
	_, err := NewSet([]Definition{{}, {Name: name(t, "a"), Property: "x"}, {Name: name(t, "a")}, {Name: name(t, "b")}})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 3 {
		t.Fatalf("error %v, want three joined", err)
	}
}

func TestSetsThatMayDisagree(t *testing.T) {
	wants := func(operator string, flags ...string) []Condition {
		return []Condition{condition(t, "split", operator, flags...)}
	}
	for _, defs := range [][]Definition{
		{{Name: name(t, "{split}"), Where: wants("equals", "a")}, {Name: name(t, "x_{split}"), NotServed: Clear}},
		{{Name: name(t, "{split}"), Where: wants("one_of", "a", "b")}, {Name: name(t, "c"), NotServed: Store}},
		{
			{Name: name(t, "{split}"), Any: [][]Condition{wants("equals", "a"), wants("equals", "b")}},
			{Name: name(t, "{environmentName}"), Where: []Condition{condition(t, "environmentName", "equals", "c")}, Property: "properties.p"},
		},
		{{Name: name(t, "a{split}")}, {Name: name(t, "b{split}"), NotServed: Clear}},
		{{Name: name(t, "{split}a")}, {Name: name(t, "{split}b"), NotServed: Clear}},
		{{Name: name(t, "{split}")}, {Name: name(t, "x_{split}"), NotServed: Clear}},
		{{Name: name(t, "{split}")}, {Name: name(t, "plan"), Property: "properties.plan"}},
	} {
		if _, err := NewSet(defs); err != nil {
			t.Error(err)
		}
	}
}

// Rules coincide where the names that they are limited to meet.
func TestCoincide(t *testing.T) {
	for _, test := range []struct {
		a, b         string
		flagA, flagB []string // that the rule is limited to
		want         bool
	}{
		{"{split}", "x_{split}", []string{"x_a"}, []string{"b", "a"}, true},
		{"{split}", "x_{split}", []string{"x_a"}, []string{"b"}, false},
		{"{split}", "x_{split}", []string{"x_a"}, nil, false},
		{"{split}", "plan", []string{"plan"}, nil, true},
		{"{split}", "plan", nil, nil, false},
		{"{split}{split}", "abab", []string{"ab"}, nil, true},
		{"{split}-{environmentName}", "a-b", []string{"a"}, nil, false},
		{"a", "b", nil, nil, false},
	} {
		rules := make([]*rule, 2)
		for i, flags := range [][]string{test.flagA, test.flagB} {
			rules[i] = &rule{Definition: Definition{Name: name(t, []string{test.a, test.b}[i])}}
			if flags != nil {
				rules[i].Where = []Condition{condition(t, "split", "one_of", flags...)}
			}
		}
		if coincide(rules[0], rules[1]) != test.want || coincide(rules[1], rules[0]) != test.want {
			t.Errorf("%s of %v and %s of %v coincide: want %v", test.a, test.flagA, test.b, test.flagB, test.want)
		}
	}
}

func TestFilter(t *testing.T) {
	f := set(t,
		Definition{Name: name(t, "a"), Where: []Condition{condition(t, "split", "one_of", "f", "g"), condition(t, "sdk", "equals", "go")}},
		Definition{Name: name(t, "b"), Event: "seen", Property: "properties.p", Any: [][]Condition{
			{condition(t, "split", "equals", "h"), condition(t, "properties.a", "exists", "true")},
			{condition(t, "split", "equals", "f"), condition(t, "properties.p", "exists", "true")},
		}},
	).Filter()
	if !slices.Equal(f.Events, []string{"get_treatment", "seen"}) || !slices.Equal(f.Properties, []string{"a", "p"}) || !f.Extras {
		t.Errorf("filter %+v", f)
	}
	if flags := slices.Sorted(maps.Keys(f.Flags)); !slices.Equal(flags, []string{"f", "g", "h"}) {
		t.Errorf("flags %v", flags)
	}
	open := set(t,
		Definition{Name: name(t, "a"), Where: []Condition{condition(t, "split", "equals", "f")}},
		Definition{Name: name(t, "b"), Any: [][]Condition{{condition(t, "split", "equals", "g")}, {condition(t, "source", "equals", "s")}}},
	).Filter()
	if open.Flags != nil || open.Extras || open.Properties != nil {
		t.Errorf("filter of definitions that want any flag: %+v", open)
	}
}

func TestHash(t *testing.T) {
	a, b := condition(t, "sdk", "equals", "go"), condition(t, "label", "one_of", "x", "y")
	base := Definition{Name: name(t, "{split}"), Where: []Condition{a, b}, Any: [][]Condition{{a}, {b, a}}}
	same := Definition{
		Name: name(t, "{split}"), Description: "words", Event: "get_treatment", Property: "treatment",
		Where: []Condition{condition(t, "label", "one_of", "y", "x"), a}, Any: [][]Condition{{a, b}, {a}}, ExpireAfter: time.Hour,
	}
	want := set(t, base).Hash()
	if set(t, same).Hash() != want {
		t.Error("the hash depends on the description, on the order of conditions, or on when traits expire")
	}
	for i, change := range []func(*Definition){
		func(d *Definition) { d.Name = name(t, "{split}x") },
		func(d *Definition) { d.Event = "seen" },
		func(d *Definition) { d.Property = "properties.p" },
		func(d *Definition) { d.NotServed = Clear },
		func(d *Definition) { d.Where = d.Where[:1] },
		func(d *Definition) { d.Where = []Condition{a, condition(t, "label", "one_of", "x")} },
		func(d *Definition) { d.Where = []Condition{a, condition(t, "label", "contains_one_of", "x", "y")} },
		func(d *Definition) { d.Where = []Condition{a, condition(t, "source", "one_of", "x", "y")} },
		func(d *Definition) { d.Any = d.Any[:1] },
		func(d *Definition) { d.Where, d.Any = nil, [][]Condition{d.Where} },
	} {
		d := base
		change(&d)
		if set(t, d).Hash() == want {
			t.Errorf("change %d leaves the hash", i)
		}
	}
	other := Definition{Name: name(t, "y")}
	if set(t, base, other).Hash() == set(t, other, base).Hash() {
		t.Error("the order of definitions counts, but not in the hash")
	}
	if set(t).Hash() == [32]byte{} {
		t.Error("no definitions have no hash")
	}
}

// A trait expires by the definition that fed it last. Where that is gone or not
// known, it goes with the last of those that can yield its name.
func TestExpireAfter(t *testing.T) {
	const day = 24 * time.Hour
	flags := func(names ...string) []Condition { return []Condition{condition(t, "split", "one_of", names...)} }
	all := set(t,
		Definition{Name: name(t, "{split}"), ExpireAfter: day},
		Definition{Name: name(t, "{split}_{environmentName}"), ExpireAfter: 2 * day},
		Definition{Name: name(t, "plan_{split}"), Where: flags("a", "b_x"), ExpireAfter: 3 * day},
		Definition{Name: name(t, "kept_{split}"), Where: flags("a")},
	)
	strict := set(t, Definition{Name: name(t, "plan_{split}"), Where: flags("a", "b"), ExpireAfter: day})
	for _, c := range []struct {
		set              *Set
		name, definition string // empty: nothing was sent
		want             time.Duration
	}{
		{all, "f", "{split}", day},
		{all, "kept_a", "{split}", day},
		{all, "f", "kept_{split}", 0},
		{all, "f", "gone", day},
		{all, "f", "", day},
		{all, "f_Production", "gone", 2 * day},
		{all, "_Production", "gone", day},
		{all, "f_", "gone", day},
		{all, "plan_a", "gone", 3 * day},
		{all, "plan_b_x", "", 3 * day},
		{all, "plan_b", "", 2 * day},
		{all, "kept_a", "gone", 0},
		{all, "kept_a", "", 0},
		{all, "kept_b", "", 2 * day},
		{strict, "plan_a", "gone", day},
		{strict, "plan_c", "gone", 0},
		{strict, "plan_", "gone", 0},
		{strict, "plan_ab", "", 0},
	} {
		rec := Record{Emitted: Emission{Sent: c.definition != "", Facts: Facts{Definition: c.definition}}}
		if got := c.set.ExpireAfter([]byte(c.name), &rec); got != c.want {
			t.Errorf("%s of definition %q expires after %s, want %s", c.name, c.definition, got, c.want)
		}
	}
}
