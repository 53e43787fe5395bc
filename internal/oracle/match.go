package oracle

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value is what a condition looks at.
type value struct {
	text   string
	number bool // of JSON's type number
}

// property returns a property by its export's name, and whether it is there.
func (imp impression) property(name string) (value, bool) {
	if name == "splitVersionNumber" {
		return value{strconv.FormatInt(imp.version, 10), true}, true
	}
	custom, ok := strings.CutPrefix(name, "properties.")
	if !ok {
		s, ok := imp.facts[name]
		return value{text: s}, ok
	}
	raw, ok := imp.properties[custom]
	if !ok || kind(raw) == 'n' {
		return value{}, false
	}
	if kind(raw) == '"' {
		s, _ := text(raw)
		return value{text: clean(s)}, true
	}
	return value{compact(raw), kind(raw) == '0'}, true
}

// matches tells whether a definition wants an impression, under which trait
// name and with which value.
func (d Definition) matches(imp impression) (name, val string, ok bool) {
	if imp.event != "" && imp.event != d.Event {
		return "", "", false
	}
	name, ok = imp.fill(d.Name)
	if !ok {
		return "", "", false
	}
	if d.Property == "treatment" {
		val = quote(imp.facts["treatment"])
	} else {
		raw, ok := imp.properties[strings.TrimPrefix(d.Property, "properties.")]
		if !ok || kind(raw) == 'n' {
			return "", "", false
		}
		val = compact(raw)
	}
	anyHolds := func(conds []Cond) bool { return imp.all(conds) }
	return name, val, imp.all(d.Where) && (d.Any == nil || slices.ContainsFunc(d.Any, anyHolds))
}

// fill puts facts into a definition's name, which has braces around facts alone.
// It returns false where one is missing.
func (imp impression) fill(name string) (string, bool) {
	filled := ""
	for {
		before, rest, more := strings.Cut(name, "{")
		filled += before
		if !more {
			return filled, true
		}
		fact, after, _ := strings.Cut(rest, "}")
		s, ok := imp.facts[fact]
		if !ok {
			return "", false
		}
		filled, name = filled+s, after
	}
}

func (imp impression) all(conds []Cond) bool {
	return !slices.ContainsFunc(conds, func(c Cond) bool { return !imp.holds(c) })
}

func (imp impression) holds(c Cond) bool {
	v, there := imp.property(c.Property)
	switch c.Operator {
	case "exists":
		return there
	case "not_exists":
		return !there
	}
	if !there {
		return false
	}
	holds := func(operand string) bool { return v.holds(c.Operator, operand) }
	switch c.Operator {
	case "not_equals":
		return !v.holds("equals", c.Operands[0])
	case "not_contains":
		return !v.holds("contains", c.Operands[0])
	}
	return slices.ContainsFunc(c.Operands, holds)
}

// holds tells it for one operand.
func (v value) holds(operator, operand string) bool {
	switch operator {
	case "equals", "one_of":
		a, aok := parseDecimal(v.text)
		b, bok := parseDecimal(operand)
		if v.number && aok && bok {
			return a.compare(b) == 0
		}
		return v.text == operand
	case "less_than", "at_most", "greater_than", "at_least":
		a, aok := parseDecimal(v.text)
		b, bok := parseDecimal(operand)
		return aok && bok && ordered(operator, a.compare(b))
	case "contains", "contains_one_of":
		return strings.Contains(v.text, operand)
	case "starts_with":
		return strings.HasPrefix(v.text, operand)
	case "ends_with":
		return strings.HasSuffix(v.text, operand)
	case "before", "after":
		a, aok := moment(v.text)
		b, bok := moment(operand)
		return aok && bok && ordered(operator, cmp.Compare(a, b))
	}
	panic("no operator " + operator)
}

func ordered(operator string, c int) bool {
	switch operator {
	case "less_than", "before":
		return c < 0
	case "at_most":
		return c <= 0
	case "greater_than", "after":
		return c > 0
	}
	return c >= 0
}

// moment reads a date, a time or a number, in ms as 64 bits hold them.
func moment(s string) (int64, bool) {
	if d, ok := parseDecimal(s); ok {
		n, _, fits := d.integer()
		return n, fits
	}
	if ms, ok := parseRFC3339(s); ok {
		return ms, true
	}
	t, err := time.Parse(time.DateOnly, s)
	return t.UnixMilli(), err == nil
}

var unable = []string{
	"not ready", "definition not found", "exception", "targeting rule type unsupported by sdk", "matcher not found", "archived",
}

// served tells whether the SDK could evaluate the flag.
func (imp impression) served() bool {
	label := imp.facts["label"]
	return imp.facts["treatment"] != "control" && !strings.HasPrefix(label, "fallback - ") && !slices.Contains(unable, label)
}
