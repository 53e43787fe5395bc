package trait

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Policy tells what an impression that was not served does to a trait (S4).
type Policy uint8

// The policies.
const (
	Ignore Policy = iota // nothing
	Store                // it counts like any other
	Clear                // it takes the value away, and the trait with it
)

var policyNames = []string{"ignore", "store", "clear"}

// ParsePolicy reads a policy as configuration writes it.
func ParsePolicy(text string) (Policy, error) {
	if i := slices.Index(policyNames, text); i >= 0 {
		return Policy(i), nil
	}
	return 0, fmt.Errorf("unknown policy %q%s; allowed are %s",
		text, suggest(text, policyNames), strings.Join(policyNames, ", "))
}

// String returns the policy as configuration writes it.
func (p Policy) String() string {
	if int(p) < len(policyNames) {
		return policyNames[p]
	}
	return fmt.Sprintf("policy(%d)", uint8(p))
}

// What a definition takes where it leaves a field empty.
const (
	defaultEvent    = "get_treatment"
	defaultProperty = "treatment"
)

// Definition tells which impressions make up a trait, and what of them becomes
// its value. It matches an impression for which all of Where hold and, unless
// Any is empty, all conditions of at least one list of Any; and which has every
// fact that the name uses, and the property.
type Definition struct {
	Name        Name
	Description string // for people alone
	Event       string // of Segment calls; empty: get_treatment
	Property    string // treatment, or properties.NAME; empty: treatment
	Where       []Condition
	Any         [][]Condition
	NotServed   Policy
	// ExpireAfter is how long a trait may go unseen until it is removed; 0: for ever.
	ExpireAfter time.Duration
}

// DefinitionError tells what is wrong with one definition of a set.
type DefinitionError struct {
	Index int    // of the definition in the list, from 0
	Field string // as configuration calls it: name, property, not_served or expire_after
	Err   error
}

// Error tells the definition by its place, counted from 1.
func (e *DefinitionError) Error() string {
	return fmt.Sprintf("trait %d: %s: %v", e.Index+1, e.Field, e.Err)
}

// Unwrap returns what is wrong.
func (e *DefinitionError) Unwrap() error { return e.Err }

// rule is a definition made ready for matching.
type rule struct {
	Definition
	value reference
	fresh bool // in a Change, it is new
}

// values returns what a fact that is text may be in impressions that the rule
// matches, if its conditions limit that to a few.
func (r *rule) values(f fact) ([]string, bool) {
	if texts, ok := limit(r.Where, f); ok {
		return texts, true
	}
	var all []string
	for _, branch := range r.Any {
		texts, ok := limit(branch, f)
		if !ok {
			return nil, false
		}
		all = append(all, texts...)
	}
	return all, len(r.Any) > 0
}

func limit(conditions []Condition, f fact) ([]string, bool) {
	for i := range conditions {
		if texts, ok := conditions[i].values(f); ok {
			return texts, true
		}
	}
	return nil, false
}
