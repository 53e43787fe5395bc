package avro

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"traitstream/trait"
)

// parser reads the texts of schemas, as the specification of Avro 1.12 has them.
type parser struct {
	named map[string]*node // by their full names
	here  map[string]bool  // those of the text at hand
}

func (p *parser) parse(text string) (*node, error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, err
	}
	clear(p.here)
	return p.schema(v, "")
}

// schema reads what stands where a schema may stand, in a namespace.
func (p *parser) schema(v any, space string) (*node, error) {
	switch v := v.(type) {
	case string:
		return p.called(v, space)
	case []any:
		return p.within(kindUnion, v, space)
	case map[string]any:
		return p.object(v, space)
	case nil:
		return nil, errors.New("a type is missing")
	}
	return nil, fmt.Errorf("a type is %T, not a name, an object or a list", v)
}

// called returns the type that has a name. One without a namespace is of the
// namespace that it stands in or, as in Java, of none.
func (p *parser) called(name, space string) (*node, error) {
	switch k := kind(name); k {
	case kindNull, kindBoolean, kindInt, kindLong, kindFloat, kindDouble, kindBytes, kindString:
		return &node{kind: k}, nil
	}
	if n := p.named[fullName(name, space)]; n != nil {
		return n, nil
	}
	if n := p.named[name]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("type %.100q is not known", name)
}

func (p *parser) object(m map[string]any, space string) (*node, error) {
	name, ok := m["type"].(string)
	if !ok {
		return p.schema(m["type"], space)
	}
	switch kind(name) {
	case kindRecord, "error":
		return p.record(m, space)
	case kindEnum:
		return p.enum(m, space)
	case kindFixed:
		return p.fixed(m, space)
	case kindArray:
		return p.within(kindArray, []any{m["items"]}, space)
	case kindMap:
		return p.within(kindMap, []any{m["values"]}, space)
	}
	n, err := p.called(name, space)
	if err == nil && n.name == "" {
		n.standFor(m)
	}
	return n, err
}

func (p *parser) within(k kind, all []any, space string) (*node, error) {
	n := &node{kind: k}
	for _, v := range all {
		inner, err := p.schema(v, space)
		if err != nil {
			return nil, err
		}
		n.inner = append(n.inner, inner)
	}
	return n, nil
}

// define makes the node of a named type.
func (p *parser) define(k kind, m map[string]any, space string) (*node, error) {
	name, _ := m["name"].(string)
	if name == "" {
		return nil, fmt.Errorf("a type that is %s has no name", k)
	}
	if own, ok := m["namespace"].(string); ok {
		space = own
	}
	n := &node{kind: k, name: fullName(name, space)}
	if p.here[n.name] {
		return nil, fmt.Errorf("type %.100q is there twice", n.name)
	}
	p.here[n.name], p.named[n.name] = true, n
	return n, nil
}

func fullName(name, space string) string {
	if space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}

func (p *parser) record(m map[string]any, space string) (*node, error) {
	n, err := p.define(kindRecord, m, space)
	if err != nil {
		return nil, err
	}
	fields, ok := m["fields"].([]any)
	if !ok {
		return nil, fmt.Errorf("record %.100q has no list of fields", n.name)
	}
	space = n.name[:max(strings.LastIndexByte(n.name, '.'), 0)]
	seen := map[string]bool{}
	for _, v := range fields {
		f, _ := v.(map[string]any)
		name, _ := f["name"].(string)
		if name == "" || seen[name] {
			return nil, fmt.Errorf("record %.100q has a field without a name, or two of the same: %.100q", n.name, name)
		}
		seen[name] = true
		of, err := p.schema(f["type"], space)
		if err != nil {
			return nil, err
		}
		n.fields = append(n.fields, field{append(trait.AppendJSONString(nil, name), ':'), of})
	}
	return n, nil
}

func (p *parser) enum(m map[string]any, space string) (*node, error) {
	n, err := p.define(kindEnum, m, space)
	if err != nil {
		return nil, err
	}
	symbols, ok := m["symbols"].([]any)
	if !ok {
		return nil, fmt.Errorf("enum %.100q has no list of symbols", n.name)
	}
	for _, v := range symbols {
		symbol, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("enum %.100q has a symbol that is no text", n.name)
		}
		n.symbols = append(n.symbols, trait.AppendJSONString(nil, symbol))
	}
	return n, nil
}

func (p *parser) fixed(m map[string]any, space string) (*node, error) {
	n, err := p.define(kindFixed, m, space)
	if err != nil {
		return nil, err
	}
	size, ok := wholeNumber(m["size"])
	if !ok {
		return nil, fmt.Errorf("fixed %.100q has no size", n.name)
	}
	n.size = size
	n.standFor(m)
	return n, nil
}

// standFor takes over the logical type; one that is not valid is ignored, as the
// specification says.
func (n *node) standFor(m map[string]any) {
	name, _ := m["logicalType"].(string)
	switch l := logical(name); l {
	case timestampMillis, timestampMicros, localTimestampMillis, localTimestampMicros:
		if n.kind == kindLong {
			n.logical = l
		}
	case decimal:
		n.takeDecimal(m)
	}
}

func (n *node) takeDecimal(m map[string]any) {
	precision, ok := wholeNumber(m["precision"])
	scale, given := wholeNumber(m["scale"])
	fits := n.kind == kindBytes || n.kind == kindFixed && precision <= mostDigits(n.size)
	if ok && precision > 0 && scale <= precision && (given || m["scale"] == nil) && fits {
		n.logical, n.scale = decimal, scale
	}
}

// mostDigits returns how many decimal digits any number of so many bytes has, signed.
func mostDigits(size int64) int64 {
	return int64(math.Floor(math.Log10(2) * float64(8*size-1)))
}

// wholeNumber returns a number of JSON that is whole and not negative.
func wholeNumber(v any) (int64, bool) {
	f, ok := v.(float64)
	if !ok || f < 0 || f > 1<<53 || f != math.Trunc(f) {
		return 0, false
	}
	return int64(f), true
}
