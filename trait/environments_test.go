package trait

import (
	"fmt"
	"strings"
	"testing"

	"traitstream/impression"
)

// sighting is an impression of a trait, of an environment by name and id.
type sighting struct{ trait, name, id string }

func (s sighting) in(e *Environments, d Definition) string {
	imp := &impression.Impression{}
	if s.name != "" {
		imp.EnvironmentName = []byte(s.name)
	}
	if s.id != "" {
		imp.EnvironmentID = []byte(s.id)
	}
	return e.Saw(&Match{Definition: &d, Trait: []byte(s.trait)}, imp)
}

func TestEnvironments(t *testing.T) {
	free := Definition{Name: name(t, "{split}")}
	where, either := free, free
	where.Where = []Condition{condition(t, "environmentId", "not_equals", "c")}
	either.Any = [][]Condition{{condition(t, "label", "equals", "x")}, {condition(t, "environmentName", "starts_with", "Prod")}}
	for _, test := range []struct {
		what      string
		d         Definition
		sightings []sighting
		want      string // of the last; the others say nothing
	}{
		{"names", free, []sighting{{"a", "Staging", ""}, {"b", "Production", ""}, {"a", "Staging", ""}, {"a", "", ""}, {"a", "Production", ""}},
			`one trait, a of "{split}", is fed by the environments Staging and Production, which overwrite each other; ` +
				"if that is not meant, give its definition the condition `where: {environmentName: Production}` or put {environmentName} into its name"},
		{"no production", free, []sighting{{"a", "QA", ""}, {"a", "Dev: 2", ""}},
			`QA and "Dev: 2", which overwrite each other; if that is not meant, give its definition the condition ` + "`where: {environmentName: QA}`"},
		{"ids", free, []sighting{{"a", "", "1f"}, {"a", "", "2f"}}, "`where: {environmentId: 1f}` or put {environmentId}"},
		{"a name and an id", free, []sighting{{"a", "Production", ""}, {"a", "", "1f"}, {"a", "Production", "1f"}}, ""},
		{"an id of its own each", free, []sighting{{"a", "", "1f"}, {"a", "Production", ""}, {"a", "", "2f"}}, "1f and 2f"},
		{"separated by where", where, []sighting{{"a", "", "1f"}, {"a", "", "2f"}}, ""},
		{"separated by any", either, []sighting{{"a", "QA", ""}, {"a", "Production", ""}}, ""},
		{"one environment", free, []sighting{{"b", "QA", ""}, {"b", "QA", ""}}, ""},
	} {
		e := NewEnvironments()
		last := len(test.sightings) - 1
		for _, s := range test.sightings[:last] {
			if got := s.in(e, test.d); got != "" {
				t.Errorf("%s: %v: %q", test.what, s, got)
			}
		}
		got := test.sightings[last].in(e, test.d)
		if !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q, want %q", test.what, got, test.want)
		}
	}
}

func TestEnvironmentsAreToldOnce(t *testing.T) {
	e, d := NewEnvironments(), Definition{Name: name(t, "{split}")}
	said := 0
	for i := range 20 {
		if (sighting{fmt.Sprint(i % 3), fmt.Sprint("env ", i%4), ""}).in(e, d) != "" {
			said++
		}
	}
	if said != 1 {
		t.Errorf("said %d times", said)
	}
}

// However many traits there are, the memory is bounded, and those that were
// first are watched on.
func TestEnvironmentsBound(t *testing.T) {
	e, d := NewEnvironments(), Definition{Name: name(t, "{split}")}
	for i := range watchedTraits + 10 {
		sighting{fmt.Sprint(i), "QA", ""}.in(e, d)
	}
	if len(e.first) != watchedTraits {
		t.Errorf("%d traits are remembered", len(e.first))
	}
	if got := (sighting{fmt.Sprint(watchedTraits + 1), "Dev", ""}).in(e, d); got != "" {
		t.Errorf("a trait too many is watched: %s", got)
	}
	if got := (sighting{"0", "Dev", ""}).in(e, d); got == "" {
		t.Error("the first trait is no longer watched")
	}
}
