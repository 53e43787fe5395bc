package trait_test

import (
	"slices"
	"testing"

	"traitstream/trait"
)

func TestPartsMakeTheConditionAgain(t *testing.T) {
	for _, want := range [][]string{
		{"split", "equals", "a"}, {"properties.plan", "one_of", "pro", "", "6.10"}, {"label", "exists", "true"},
		{"splitVersionNumber", "at_least", "1e3"}, {"properties.at", "before", "2026-03-02"},
	} {
		c, err := trait.NewCondition(want[0], want[1], want[2:])
		if err != nil {
			t.Fatal(err)
		}
		property, operator, operands := c.Parts()
		if got := append([]string{property, operator}, operands...); !slices.Equal(got, want) {
			t.Errorf("%q came back as %q", want, got)
		}
	}
}
