package config

import (
	"go.yaml.in/yaml/v3"

	"traitstream/trait"
)

// anyOf reads a list of conditions, of which one entry must hold.
func (r *reader) anyOf(n *yaml.Node) [][]trait.Condition {
	items, ok := r.items(n, "any")
	if !ok {
		return nil
	}
	all := make([][]trait.Condition, 0, len(items))
	for _, item := range items {
		all = append(all, r.conditions(item, "an entry of any"))
	}
	return all
}

// conditions reads a mapping of properties to what must hold of each: a value,
// a list of values, or a mapping of operators.
func (r *reader) conditions(n *yaml.Node, name string) []trait.Condition {
	if n.Kind != yaml.MappingNode {
		r.refuse(n, "%s must be a mapping of properties, not %s", name, kind(n))
		return nil
	}
	if len(n.Content) == 0 {
		r.refuse(n, "%s holds no condition; leave it out", name)
		return nil
	}
	var all []trait.Condition
	for key, value := range pairs(n) {
		if _, err := trait.NewCondition(key.Value, "exists", []string{"true"}); err != nil {
			r.refuse(key, "%v", err)
			continue
		}
		all = append(all, r.condition(key.Value, value)...)
	}
	return all
}

// condition reads what must hold of one property.
func (r *reader) condition(property string, n *yaml.Node) []trait.Condition {
	switch n.Kind {
	case yaml.SequenceNode:
		return r.operation(property, "one_of", n, n)
	case yaml.MappingNode:
		if len(n.Content) == 0 {
			r.refuse(n, "%s has no operator, such as {starts_with: growth_}", property)
		}
		var all []trait.Condition
		for operator, operand := range pairs(n) {
			all = append(all, r.operation(property, operator.Value, operator, operand)...)
		}
		return all
	}
	return r.operation(property, "equals", n, n)
}

// operation makes the condition of one operator; what is wrong with it is
// reported at the operator.
func (r *reader) operation(property, operator string, at, n *yaml.Node) []trait.Condition {
	operands, ok := r.operands(property, operator, n)
	if !ok {
		return nil
	}
	condition, err := trait.NewCondition(property, operator, operands)
	if err != nil {
		r.refuse(at, "%s: %v", property, err)
		return nil
	}
	return []trait.Condition{condition}
}

// operands returns the value or the values that a property is compared with.
func (r *reader) operands(property, operator string, n *yaml.Node) ([]string, bool) {
	if n.Kind != yaml.SequenceNode {
		text, ok := r.operand(property, operator, n)
		return []string{text}, ok
	}
	items, ok := r.items(n, property)
	if !ok {
		return nil, false
	}
	texts := make([]string, 0, len(items))
	for _, item := range items {
		text, good := r.operand(property, operator, item)
		texts, ok = append(texts, text), ok && good
	}
	return texts, ok
}

// operand returns a scalar as it is written. YAML's true and false are no
// treatments: who writes them most likely comes from a tool that makes them of
// on and off.
func (r *reader) operand(property, operator string, n *yaml.Node) (string, bool) {
	text, tag, ok := r.scalar(n, property)
	if !ok {
		return "", false
	}
	if property == "treatment" && tag == "!!bool" && operator != "exists" && operator != "not_exists" {
		meant := "off"
		if n.Value[0]|0x20 == 't' {
			meant = "on"
		}
		r.refuse(n, "treatment %s: did you mean %q? (a treatment of that name is written in quotes)", text, meant)
		return "", false
	}
	return text, true
}
