package trait

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"traitstream/impression"
)

// operator is one of the sixteen tests of Segment's condition builder.
type operator struct {
	name    string
	list    bool // takes several operands, of which one must pass the test
	negated bool // holds where the test fails
	absent  bool // holds where the fact is absent
	limits  bool // leaves a fact that is text no value but the operands
	read    func(text []byte) (operand, error)
	test    func(o *operand, kind impression.Kind, text []byte) bool
	// nearer tells whether a value comes nearer than another to what numbers or times
	// are asked for; nil: of other operators.
	nearer func(text, than []byte) bool
}

// operators never change.
var operators = [...]operator{
	{name: "equals", limits: true, read: readAny, test: equal},
	{name: "not_equals", negated: true, read: readAny, test: equal},
	{name: "one_of", list: true, limits: true, read: readAny, test: equal},
	{name: "less_than", read: readNumber, test: numeric(func(c int) bool { return c < 0 }), nearer: nearerNumber(-1)},
	{name: "at_most", read: readNumber, test: numeric(func(c int) bool { return c <= 0 }), nearer: nearerNumber(-1)},
	{name: "greater_than", read: readNumber, test: numeric(func(c int) bool { return c > 0 }), nearer: nearerNumber(1)},
	{name: "at_least", read: readNumber, test: numeric(func(c int) bool { return c >= 0 }), nearer: nearerNumber(1)},
	{name: "contains", read: readAny, test: textual(bytes.Contains)},
	{name: "not_contains", negated: true, read: readAny, test: textual(bytes.Contains)},
	{name: "contains_one_of", list: true, read: readAny, test: textual(bytes.Contains)},
	{name: "starts_with", read: readAny, test: textual(bytes.HasPrefix)},
	{name: "ends_with", read: readAny, test: textual(bytes.HasSuffix)},
	{name: "before", read: readInstant, test: temporal(func(at, limit int64) bool { return at < limit }), nearer: nearerInstant(-1)},
	{name: "after", read: readInstant, test: temporal(func(at, limit int64) bool { return at > limit }), nearer: nearerInstant(1)},
	{name: "exists", read: readTrue, test: always},
	{name: "not_exists", negated: true, absent: true, read: readTrue, test: always},
}

func parseOperator(name string) (*operator, error) {
	names := make([]string, len(operators))
	for i := range operators {
		if operators[i].name == name {
			return &operators[i], nil
		}
		names[i] = operators[i].name
	}
	return nil, fmt.Errorf("unknown operator %q%s; allowed are %s", name, suggest(name, names), strings.Join(names, ", "))
}

func readAny(text []byte) (operand, error) {
	n, ok := parseNumber(text)
	return operand{text: text, number: n, isNumber: ok}, nil
}

func readNumber(text []byte) (operand, error) {
	o, _ := readAny(text)
	if !o.isNumber {
		return o, errors.New("takes a number")
	}
	return o, nil
}

func readInstant(text []byte) (operand, error) {
	at, ok := parseInstant(text)
	if !ok {
		return operand{}, errors.New("takes a time as RFC 3339, a date YYYY-MM-DD or a number of milliseconds")
	}
	return operand{text: text, at: at}, nil
}

func readTrue(text []byte) (operand, error) {
	if string(text) != "true" {
		return operand{}, errors.New(`takes "true" alone (for the contrary there are exists and not_exists)`)
	}
	return operand{text: text}, nil
}

func always(*operand, impression.Kind, []byte) bool { return true }

func numeric(holds func(compared int) bool) func(*operand, impression.Kind, []byte) bool {
	return func(o *operand, _ impression.Kind, text []byte) bool {
		n, ok := parseNumber(text)
		return ok && holds(n.compare(o.number))
	}
}

func textual(holds func(text, part []byte) bool) func(*operand, impression.Kind, []byte) bool {
	return func(o *operand, _ impression.Kind, text []byte) bool { return holds(text, o.text) }
}

func temporal(holds func(at, limit int64) bool) func(*operand, impression.Kind, []byte) bool {
	return func(o *operand, _ impression.Kind, text []byte) bool {
		at, ok := parseInstant(text)
		return ok && holds(at, o.at)
	}
}
