package trait

import (
	"bytes"
	"strconv"

	"traitstream/impression"
)

// Match is a trait that an impression feeds.
type Match struct {
	Definition *Definition
	Index      int    // of the definition in the set's list
	Trait      []byte // the trait's name
	Value      []byte // compact JSON; nil is none: not served, under Clear
	New        bool   // in a Change, its definition is new

	noted *noted // of a match that is remembered
}

// Verdict sums up what the definitions made of an impression.
type Verdict uint8

// The verdicts.
const (
	NoMatch   Verdict = iota // no definition wants it
	NotServed                // some do, and each of these ignores it as not served
	Matched                  // at least one trait is fed
)

// Matcher holds definitions against impressions. It serves one goroutine.
type Matcher struct {
	rules   []rule
	apart   bool
	arena   []byte // of names and values, until Reset
	scratch []byte // of the fact at hand
	memo    *memo  // nil where the rules look at more than it remembers
}

// NewMatcher returns a matcher over the set.
func (s *Set) NewMatcher() *Matcher {
	m := &Matcher{rules: s.rules, apart: s.apart}
	if s.remembers() {
		m.memo = newMemo()
	}
	return m
}

// Reset gives up the bytes of all matches so far, for use again.
func (m *Matcher) Reset() {
	m.arena = m.arena[:0]
	if m.memo != nil {
		m.memo.reset()
	}
}

// Match appends to dst the traits that the impression feeds, each name once.
// Of a Change's Both, the verdict is that of the old definitions, and those that are
// new come last. The slices of a match stay valid until Reset. Once warm it does not allocate.
func (m *Matcher) Match(dst []Match, imp *impression.Impression) ([]Match, Verdict) {
	if m.memo == nil {
		return m.match(dst, imp)
	}
	at := m.memo.place(imp)
	if known := m.memo.find(at, imp); known != nil {
		return append(dst, known.matches...), known.verdict
	}
	first := len(dst)
	dst, verdict := m.match(dst, imp)
	m.memo.learn(at, imp, dst[first:], verdict)
	return dst, verdict
}

// match holds the impression against each definition.
func (m *Matcher) match(dst []Match, imp *impression.Impression) ([]Match, Verdict) {
	served := Served(imp.Treatment, imp.Label)
	verdict, first := NoMatch, len(dst)
	for i := range m.rules {
		r := &m.rules[i]
		if !m.wants(r, imp) {
			continue
		}
		mark, apart := len(m.arena), m.apart && r.fresh
		name, value, ok := m.yield(r, imp)
		ignored := !served && r.NotServed == Ignore
		if !ok || ignored || m.yielded(dst[first:], name, r.fresh) {
			m.arena = m.arena[:mark]
			if ok && ignored && !apart {
				verdict = max(verdict, NotServed)
			}
			continue
		}
		if !served && r.NotServed == Clear {
			value = nil
		}
		dst = append(dst, Match{Definition: &r.Definition, Index: i, Trait: name, Value: value, New: r.fresh})
		if !apart {
			verdict = Matched
		}
	}
	return dst, verdict
}

// yielded tells whether an earlier definition gave the name already. The two
// agree on all that counts: NewSet sees to it.
func (m *Matcher) yielded(matches []Match, name []byte, fresh bool) bool {
	for i := range matches {
		if bytes.Equal(matches[i].Trait, name) && (!m.apart || matches[i].New == fresh) {
			return true
		}
	}
	return false
}

// wants tells whether the rule's event and conditions are met.
func (m *Matcher) wants(r *rule, imp *impression.Impression) bool {
	if imp.Event != nil && string(imp.Event) != r.Event || !m.all(r.Where, imp) {
		return false
	}
	for _, branch := range r.Any {
		if m.all(branch, imp) {
			return true
		}
	}
	return len(r.Any) == 0
}

func (m *Matcher) all(conditions []Condition, imp *impression.Impression) bool {
	for i := range conditions {
		c := &conditions[i]
		if kind, text := m.fact(c.of, imp); !c.holds(kind, text) {
			return false
		}
	}
	return true
}

// fact returns what a condition looks at, valid until the next call.
func (m *Matcher) fact(of reference, imp *impression.Impression) (impression.Kind, []byte) {
	switch of.fact {
	case version:
		m.scratch = strconv.AppendInt(m.scratch[:0], imp.Version, 10)
		return impression.Number, m.scratch
	case source:
		m.scratch = append(m.scratch[:0], imp.Topic...)
		return impression.String, m.scratch
	case property:
		v := custom(of, imp)
		if v.Kind != impression.Composite {
			return v.Kind, v.Text
		}
		m.scratch = appendCompact(m.scratch[:0], v.JSON)
		return v.Kind, m.scratch
	}
	text := of.fact.text(imp)
	if text == nil {
		return impression.Absent, nil
	}
	return impression.String, text
}

func custom(of reference, imp *impression.Impression) impression.Value {
	if of.index >= len(imp.Properties) {
		return impression.Value{}
	}
	return imp.Properties[of.index]
}

// yield puts the trait's name and value into the arena, and reports false
// where the impression lacks what they are made of.
func (m *Matcher) yield(r *rule, imp *impression.Impression) (name, value []byte, ok bool) {
	start := len(m.arena)
	if m.arena, ok = r.Name.appendTo(m.arena, imp); !ok {
		return nil, nil, false
	}
	end := len(m.arena)
	if m.arena, ok = appendProperty(m.arena, r.value, imp); !ok {
		return nil, nil, false
	}
	return m.arena[start:end:end], m.arena[end:len(m.arena):len(m.arena)], true
}

// appendProperty appends what becomes the trait's value, as compact JSON.
func appendProperty(dst []byte, of reference, imp *impression.Impression) ([]byte, bool) {
	if of.fact == treatment {
		return AppendJSONString(dst, imp.Treatment), true
	}
	switch v := custom(of, imp); v.Kind {
	case impression.String:
		return AppendJSONString(dst, v.Text), true
	case impression.Number, impression.Bool:
		return append(dst, v.Text...), true
	case impression.Composite:
		return appendCompact(dst, v.JSON), true
	}
	return dst, false
}
