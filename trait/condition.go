package trait

import (
	"bytes"
	"fmt"

	"traitstream/impression"
)

// Condition is one test of an impression: a property, an operator and what it
// is held against.
type Condition struct {
	of       reference
	operator *operator
	operands []operand
}

// operand is what a fact is held against, in each form that an operator needs.
type operand struct {
	text     []byte
	number   number
	isNumber bool
	at       int64 // ms since 1970, of before and after
}

// NewCondition compiles a condition. The property is one of the export's names
// (split, treatment, label, environmentName, ...) or properties.NAME. The
// operators one_of and contains_one_of take one operand or more, all others
// exactly one, and that of exists and not_exists is "true".
func NewCondition(property, operator string, operands []string) (Condition, error) {
	of, err := parseReference(property)
	if err != nil {
		return Condition{}, err
	}
	op, err := parseOperator(operator)
	if err != nil {
		return Condition{}, err
	}
	if len(operands) == 0 {
		return Condition{}, fmt.Errorf("%s needs a value", operator)
	}
	if len(operands) > 1 && !op.list {
		return Condition{}, fmt.Errorf("%s takes one value, not a list of %d", operator, len(operands))
	}
	c := Condition{of: of, operator: op}
	for _, text := range operands {
		o, err := op.read([]byte(text))
		if err != nil {
			return Condition{}, fmt.Errorf("%s %w, not %q", operator, err, text)
		}
		c.operands = append(c.operands, o)
	}
	return c, nil
}

// holds tells whether the condition is true of a fact's value. A list holds
// where one of it does.
func (c *Condition) holds(kind impression.Kind, text []byte) bool {
	if kind == impression.Absent {
		return c.operator.absent
	}
	for i := range c.operands {
		if c.operator.test(&c.operands[i], kind, text) {
			return !c.operator.negated
		}
	}
	return c.operator.negated
}

// values returns the texts that a fact may have where the condition holds, if
// the condition limits them to a few.
func (c *Condition) values(f fact) (texts []string, ok bool) {
	if c.of.fact != f || !c.operator.limits {
		return nil, false
	}
	for _, o := range c.operands {
		texts = append(texts, string(o.text))
	}
	return texts, true
}

func equal(o *operand, kind impression.Kind, text []byte) bool {
	if kind == impression.Number && o.isNumber {
		n, ok := parseNumber(text)
		return ok && n.compare(o.number) == 0
	}
	return bytes.Equal(text, o.text)
}
