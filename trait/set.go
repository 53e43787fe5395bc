package trait

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"traitstream/impression"
)

// Set is a list of definitions that are computed together. It never changes
// and may be shared between goroutines.
type Set struct {
	rules  []rule
	filter impression.Filter
	hash   [32]byte
	apart  bool // what is new and what is not yield names each for themselves
}

// NewSet compiles definitions. Their order counts where two yield the same
// name for one impression: it is then the first one's. It returns a
// [*DefinitionError] for each problem, joined: a missing name, the same name
// text twice, an unknown property, and two definitions that for certain feed
// the same trait but disagree on property, not_served or expire_after.
func NewSet(defs []Definition) (*Set, error) {
	s := &Set{}
	var problems []error
	for i, d := range defs {
		r, err := newRule(d)
		if err != nil {
			err.Index = i
			problems = append(problems, err)
		} else if err := s.conflict(&r); err != nil {
			err.Index = i
			problems = append(problems, err)
		}
		s.rules = append(s.rules, r)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	s.filter = newFilter(s.rules)
	s.resolve()
	s.hash = hashRules(s.rules)
	return s, nil
}

func newRule(d Definition) (rule, *DefinitionError) {
	if d.Event == "" {
		d.Event = defaultEvent
	}
	if d.Property == "" {
		d.Property = defaultProperty
	}
	// The conditions get their place in Filter.Properties, the caller's do not.
	d.Where = slices.Clone(d.Where)
	d.Any = slices.Clone(d.Any)
	for i := range d.Any {
		d.Any[i] = slices.Clone(d.Any[i])
	}
	r := rule{Definition: d}
	if d.Name.text == "" {
		return r, &DefinitionError{Field: "name", Err: errors.New("a trait needs a name; it may use " + placeholders)}
	}
	if d.ExpireAfter < 0 {
		return r, &DefinitionError{Field: "expire_after", Err: errors.New("a trait can't expire before it is seen")}
	}
	if d.NotServed > Clear {
		return r, &DefinitionError{Field: "not_served", Err: fmt.Errorf("unknown %v", d.NotServed)}
	}
	value, err := parseReference(d.Property)
	if err != nil || value.fact != property && value.fact != treatment {
		return r, &DefinitionError{Field: "property", Err: fmt.Errorf(
			"unknown property %q%s; allowed are treatment and properties.NAME",
			d.Property, suggest(d.Property, []string{defaultProperty}))}
	}
	r.value = value
	return r, nil
}

// conflict tells why r can't stand beside the definitions before it.
func (s *Set) conflict(r *rule) *DefinitionError {
	for i := range s.rules {
		other := &s.rules[i]
		if other.Name.text == r.Name.text {
			return &DefinitionError{Field: "name", Err: fmt.Errorf("the name %q is that of trait %d too", r.Name, i+1)}
		}
		var field, mine, theirs string
		switch {
		case other.value != r.value:
			field, mine, theirs = "property", r.Property, other.Property
		case other.NotServed != r.NotServed:
			field, mine, theirs = "not_served", r.NotServed.String(), other.NotServed.String()
		case other.ExpireAfter != r.ExpireAfter:
			field, mine, theirs = "expire_after", expiry(r.ExpireAfter), expiry(other.ExpireAfter)
		default:
			continue
		}
		if coincide(r, other) {
			return &DefinitionError{Field: field, Err: fmt.Errorf(
				"%q and %q of trait %d yield the same trait name, so they must agree, but it is %s here and %s there",
				r.Name, other.Name, i+1, mine, theirs)}
		}
	}
	return nil
}

// expiry writes down an ExpireAfter.
func expiry(d time.Duration) string {
	if d == 0 {
		return "off"
	}
	return d.String()
}

// Len returns how many definitions there are.
func (s *Set) Len() int { return len(s.rules) }

// Has tells whether a definition's name has this text.
func (s *Set) Has(name string) bool {
	return slices.ContainsFunc(s.rules, func(r rule) bool { return r.Name.text == name })
}

// CanYield tells whether a definition can yield a trait of this name.
func (s *Set) CanYield(trait string) bool {
	return slices.ContainsFunc(s.rules, func(r rule) bool { return r.canYield(trait) })
}

// Filter tells the decoder what the definitions can make use of.
func (s *Set) Filter() impression.Filter { return s.filter }

// Hash identifies what the definitions compute: it is the same for the same
// names, events, properties, conditions and policies in the same order,
// whatever the descriptions and the order of conditions. When traits expire is not
// in it: that holds at once for those that are there as well.
func (s *Set) Hash() [32]byte { return s.hash }

func newFilter(rules []rule) impression.Filter {
	f := impression.Filter{Flags: map[string]struct{}{}}
	for i := range rules {
		r := &rules[i]
		f.Events = append(f.Events, r.Event)
		flags, ok := r.values(split)
		if !ok {
			f.Flags = nil
		}
		for _, flag := range flags {
			if f.Flags != nil {
				f.Flags[flag] = struct{}{}
			}
		}
		r.references(func(of *reference) {
			f.Extras = f.Extras || of.extra()
			if of.fact == property {
				f.Properties = append(f.Properties, of.name)
			}
		})
	}
	slices.Sort(f.Events)
	f.Events = slices.Compact(f.Events)
	slices.Sort(f.Properties)
	f.Properties = slices.Compact(f.Properties)
	return f
}

// resolve points each custom property to its place in the filter's list.
func (s *Set) resolve() {
	for i := range s.rules {
		s.rules[i].references(func(of *reference) {
			if of.fact == property {
				of.index, _ = slices.BinarySearchFunc(s.filter.Properties, of.name, strings.Compare)
			}
		})
	}
}

// references visits what the rule looks at.
func (r *rule) references(visit func(*reference)) {
	visit(&r.value)
	for _, conditions := range append([][]Condition{r.Where}, r.Any...) {
		for i := range conditions {
			visit(&conditions[i].of)
		}
	}
}

// LeastExpiry returns after how long the first traits expire; 0: none do.
func (s *Set) LeastExpiry() (least time.Duration) {
	for i := range s.rules {
		if d := s.rules[i].ExpireAfter; d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}

// ExpireAfter returns after how long a trait of a name expires, by the text of the
// name of the definition that fed it last; 0: never. Where nothing was ever sent of
// it, or that definition is gone, it goes with the last of those that can yield its
// name: what has expired must be refused by each of them.
func (s *Set) ExpireAfter(name []byte, rec *Record) time.Duration {
	for i := range s.rules {
		if r := &s.rules[i]; rec.Emitted.Sent && r.Name.text == rec.Emitted.Facts.Definition {
			return r.ExpireAfter
		}
	}
	most := time.Duration(0)
	for i := range s.rules {
		switch r := &s.rules[i]; {
		case !r.canYield(string(name)):
		case r.ExpireAfter == 0:
			return 0
		default:
			most = max(most, r.ExpireAfter)
		}
	}
	return most
}
