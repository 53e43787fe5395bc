package trait

import (
	"slices"
	"strings"

	"traitstream/impression"
)

// MissKind is what keeps a definition from impressions.
type MissKind string

// The kinds of misses.
const (
	// MissEvent: no impression was one of the definition's event.
	MissEvent MissKind = "event"
	// MissCondition: a condition held for no impression.
	MissCondition MissKind = "condition"
	// MissTogether: each condition held for some, but for none as many as must.
	MissTogether MissKind = "together"
	// MissFact: those that the conditions let through lack a fact of the name, or
	// the property.
	MissFact MissKind = "fact"
)

// Miss tells why a definition got nothing, or that one of its conditions never
// held.
type Miss struct {
	Definition int // its place in the set's list
	Kind       MissKind
	Condition  string // in words, of MissCondition; else what was missing
	Tried      int64  // how many impressions it was held against
	Absent     int64  // how many of these lack what the condition looks at
	// Nearest is the value most like what the condition asks for, of the first
	// thousand that were seen; of a number or time the one that comes closest.
	// Empty where there is none.
	Nearest string
}

// Trial finds out what never holds of a set's definitions. What has held once is
// not looked at again, so impressions that match cost next to nothing. It serves
// one goroutine.
type Trial struct {
	set        *Set
	matcher    *Matcher
	rules      []ruleTrial
	conditions []conditionTrial
	open       []int // of conditions, those that never held
	stages     []int // of rules, those that got nothing yet
}

// ruleTrial is how far an impression came at most with a rule.
type ruleTrial struct {
	event, together, yields bool
	tried                   int64 // of its event
	passed                  int64 // of those for which the conditions held
}

// conditionTrial is a condition that is held against impressions until it holds.
type conditionTrial struct {
	of            *Condition
	rule          int
	held          bool
	tried, absent int64
	values        values
}

// NewTrial returns a trial of the set's definitions that has seen nothing.
func (s *Set) NewTrial() *Trial {
	t := &Trial{set: s, matcher: &Matcher{rules: s.rules}, rules: make([]ruleTrial, len(s.rules))}
	for i := range s.rules {
		r := &s.rules[i]
		for _, list := range append([][]Condition{r.Where}, r.Any...) {
			for k := range list {
				t.open = append(t.open, len(t.conditions))
				t.conditions = append(t.conditions, conditionTrial{of: &list[k], rule: i})
			}
		}
		t.stages = append(t.stages, i)
	}
	return t
}

// Saw takes an impression.
func (t *Trial) Saw(imp *impression.Impression) {
	if len(t.open) > 0 {
		t.open = slices.DeleteFunc(t.open, func(i int) bool { return t.try(&t.conditions[i], imp) })
	}
	if len(t.stages) > 0 {
		t.stages = slices.DeleteFunc(t.stages, func(i int) bool { return t.pass(i, imp) })
	}
}

// try holds a condition against an impression.
func (t *Trial) try(c *conditionTrial, imp *impression.Impression) (held bool) {
	if imp.Event != nil && string(imp.Event) != t.set.rules[c.rule].Event || t.unread(c.of, imp) {
		return false
	}
	c.tried++
	kind, text := t.matcher.fact(c.of.of, imp)
	if c.held = c.of.holds(kind, text); c.held {
		return true
	}
	if kind == impression.Absent {
		c.absent++
	} else {
		c.values.note(c.of, text)
	}
	return false
}

// unread tells whether the decoder has left out what a condition looks at, since
// no definition can want the flag.
func (t *Trial) unread(c *Condition, imp *impression.Impression) bool {
	if flags := t.set.filter.Flags; flags != nil && (c.of.extra() || c.of.fact == property) {
		_, wanted := flags[string(imp.Flag)]
		return !wanted
	}
	return false
}

// pass tells whether the rule makes a trait of an impression.
func (t *Trial) pass(i int, imp *impression.Impression) bool {
	rule, r := &t.set.rules[i], &t.rules[i]
	if imp.Event != nil && string(imp.Event) != rule.Event {
		return false
	}
	r.event = true
	r.tried++
	if !t.matcher.wants(rule, imp) {
		return false
	}
	r.together = true
	r.passed++
	_, _, r.yields = t.matcher.yield(rule, imp)
	t.matcher.Reset()
	return r.yields
}

// Add takes in what another trial of the same set has seen.
func (t *Trial) Add(o *Trial) {
	for i := range t.conditions {
		mine, theirs := &t.conditions[i], &o.conditions[i]
		mine.held = mine.held || theirs.held
		mine.tried += theirs.tried
		mine.absent += theirs.absent
		mine.values.add(mine.of, &theirs.values)
	}
	for i := range t.rules {
		mine, theirs := &t.rules[i], &o.rules[i]
		mine.event, mine.together, mine.yields = mine.event || theirs.event, mine.together || theirs.together, mine.yields || theirs.yields
		mine.tried += theirs.tried
		mine.passed += theirs.passed
	}
	t.open = slices.DeleteFunc(t.open, func(i int) bool { return t.conditions[i].held })
	t.stages = slices.DeleteFunc(t.stages, func(i int) bool { return t.rules[i].yields })
}

// Misses returns what never held, by definition. Where nothing was seen at all
// there are none.
func (t *Trial) Misses() []Miss {
	var all []Miss
	for i := range t.rules {
		never := false
		for k := range t.conditions {
			if c := &t.conditions[k]; c.rule == i && !c.held && c.tried > 0 {
				never = true
				all = append(all, Miss{
					Definition: i, Kind: MissCondition, Condition: c.of.String(),
					Tried: c.tried, Absent: c.absent, Nearest: c.values.nearest(c.of),
				})
			}
		}
		switch r, rule := &t.rules[i], &t.set.rules[i]; {
		case r.yields, never && !r.together:
		case !r.event:
			all = append(all, Miss{Definition: i, Kind: MissEvent, Condition: rule.Event})
		case !r.together:
			all = append(all, Miss{Definition: i, Kind: MissTogether, Tried: r.tried})
		default:
			all = append(all, Miss{Definition: i, Kind: MissFact, Condition: rule.needs(), Tried: r.passed})
		}
	}
	return all
}

// needs lists what an impression must have for the name and the value.
func (r *rule) needs() string {
	var all []string
	for _, part := range r.Name.parts {
		if part.fact != noFact && part.fact != split {
			all = append(all, factNames[part.fact])
		}
	}
	if r.value.fact == property {
		all = append(all, r.value.String())
	}
	return strings.Join(all, " or ")
}

// String returns the condition as people read it: "environmentName equals
// Production".
func (c *Condition) String() string {
	property, operator, operands := c.Parts()
	if operator == "exists" || operator == "not_exists" {
		return property + " " + operator
	}
	return property + " " + operator + " " + strings.Join(operands, ", ")
}
