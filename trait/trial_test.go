package trait

import (
	"fmt"
	"slices"
	"testing"

	"traitstream/impression"
)

// definitionOf makes a definition; where is property, operator and operands, any
// number of them.
func definitionOf(t *testing.T, name string, where ...[]string) Definition {
	t.Helper()
	n, err := ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	d := Definition{Name: n}
	for _, c := range where {
		cond, err := NewCondition(c[0], c[1], c[2:])
		if err != nil {
			t.Fatal(err)
		}
		d.Where = append(d.Where, cond)
	}
	return d
}

func trialOf(t *testing.T, defs ...Definition) *Set {
	t.Helper()
	s, err := NewSet(defs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A condition that holds once is no miss; one that never does tells how often it
// was tried and which value is most like what it asks for.
func TestTrialTellsWhatNeverHolds(t *testing.T) {
	set := trialOf(t,
		definitionOf(t, "{split}", []string{"environmentName", "equals", "Prodution"}, []string{"label", "not_contains", "employees"}),
		definitionOf(t, "new", []string{"splitVersionNumber", "at_least", "100"}),
		definitionOf(t, "old", []string{"splitVersionNumber", "less_than", "3"}),
		definitionOf(t, "good", []string{"split", "equals", "f"}),
	)
	trials := []*Trial{set.NewTrial(), set.NewTrial()}
	for i := range 10 {
		imp := impression.Impression{Flag: []byte("f"), Treatment: []byte("on"), Version: int64(10 + i), Label: []byte("default rule")}
		if i%2 == 0 {
			imp.EnvironmentName = []byte([]string{"Staging", "Production"}[i/2%2])
		}
		trials[i%2].Saw(&imp)
	}
	trials[0].Add(trials[1])
	want := []Miss{
		{Definition: 0, Kind: MissCondition, Condition: "environmentName equals Prodution", Tried: 10, Absent: 5, Nearest: "Production"},
		{Definition: 1, Kind: MissCondition, Condition: "splitVersionNumber at_least 100", Tried: 10, Nearest: "19"},
		{Definition: 2, Kind: MissCondition, Condition: "splitVersionNumber less_than 3", Tried: 10, Nearest: "10"},
	}
	if got := trials[0].Misses(); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Where each condition holds for some impression a definition may still get none.
func TestTrialTellsWhereNothingIsLeft(t *testing.T) {
	value := definitionOf(t, "plan")
	value.Property = "properties.plan"
	event := definitionOf(t, "other")
	event.Event = "get_treatmnt"
	set := trialOf(t,
		definitionOf(t, "never both", []string{"treatment", "equals", "on"}, []string{"split", "equals", "g"}),
		definitionOf(t, "in {environmentName}"), value, event,
	)
	trial := set.NewTrial()
	for _, s := range []string{"f on", "g off", "f on"} {
		trial.Saw(&impression.Impression{Event: []byte("get_treatment"), Flag: []byte(s[:1]), Treatment: []byte(s[2:])})
	}
	got := fmt.Sprintf("%+v", trial.Misses())
	want := "[{Definition:0 Kind:together Condition: Tried:3 Absent:0 Nearest:} " +
		"{Definition:1 Kind:fact Condition:environmentName Tried:3 Absent:0 Nearest:} " +
		"{Definition:2 Kind:fact Condition:properties.plan Tried:3 Absent:0 Nearest:} " +
		"{Definition:3 Kind:event Condition:get_treatmnt Tried:0 Absent:0 Nearest:}]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What the decoder leaves out of flags that no definition wants is not counted.
func TestTrialLeavesOutWhatIsNotRead(t *testing.T) {
	set := trialOf(t, definitionOf(t, "{split}", []string{"split", "equals", "f"}, []string{"sdk", "equals", "go"}))
	trial := set.NewTrial()
	for _, flag := range []string{"f", "g", "h", "f"} {
		trial.Saw(&impression.Impression{Flag: []byte(flag), Treatment: []byte("on"), SDK: []byte("java")})
	}
	want := []Miss{{Kind: MissCondition, Condition: "sdk equals go", Tried: 2, Nearest: "java"}}
	if got := trial.Misses(); !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

// Many values cost no more memory than a thousand.
func TestTrialKeepsFewValues(t *testing.T) {
	set := trialOf(t, definitionOf(t, "{split}", []string{"key", "equals", "somebody"}))
	trial := set.NewTrial()
	for i := range 5000 {
		trial.Saw(&impression.Impression{User: fmt.Appendf(nil, "u%d", i), Flag: []byte("f"), Treatment: []byte("on")})
	}
	if n := len(trial.conditions[0].values.seen); n != mostValues {
		t.Errorf("%d values", n)
	}
	if m := trial.Misses(); len(m) != 1 || m[0].Tried != 5000 {
		t.Errorf("%+v", m)
	}
}

// An impression of which everything has held costs little, and no memory.
func TestTrialAllocatesNothing(t *testing.T) {
	set := trialOf(t, definitionOf(t, "{split}", []string{"environmentName", "equals", "Prodution"}))
	trial := set.NewTrial()
	imp := impression.Impression{Flag: []byte("f"), Treatment: []byte("on"), EnvironmentName: []byte("Production")}
	trial.Saw(&imp)
	if n := testing.AllocsPerRun(100, func() { trial.Saw(&imp) }); n > 0 {
		t.Errorf("%.0f allocations", n)
	}
}
