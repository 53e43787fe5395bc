package avro

import (
	"encoding/json"
	"fmt"
	"strings"

	hamba "github.com/hamba/avro/v2"

	"traitstream/trait"
)

// Schema is an Avro schema made ready for reading what was written with it. It
// is safe for concurrent use.
type Schema struct {
	root        *node
	fingerprint [32]byte
}

// Parse reads the text of a schema, and before it those that it refers to, each
// after what it refers to itself.
func Parse(text string, referred ...string) (*Schema, error) {
	cache := &hamba.SchemaCache{}
	for _, one := range referred {
		if _, err := parseText(one, cache); err != nil {
			return nil, fmt.Errorf("reading an Avro schema that is referred to: %w", err)
		}
	}
	s, err := parseText(text, cache)
	if err != nil {
		return nil, fmt.Errorf("reading an Avro schema: %w", err)
	}
	c := compiler{named: map[string]*node{}}
	root, err := c.compile(s)
	if err != nil {
		return nil, fmt.Errorf("reading an Avro schema: %w", err)
	}
	return &Schema{root: root, fingerprint: s.Fingerprint()}, nil
}

// parseText reads the text of a schema without its defaults. They are for readers
// with another schema; and the library refuses a schema for a default that others
// take, or dies of it where a record has one of itself.
func parseText(text string, cache *hamba.SchemaCache) (hamba.Schema, error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, err
	}
	dropDefaults(v)
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return hamba.ParseBytesWithCache(plain, "", cache)
}

func dropDefaults(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if strings.EqualFold(name, "default") { // the library does not look at the case
				delete(v, name)
				continue
			}
			dropDefaults(inner)
		}
	case []any:
		for _, inner := range v {
			dropDefaults(inner)
		}
	}
}

// Fingerprint returns the SHA-256 of the schema's canonical form, which is the
// same for all texts that write the same bytes.
func (s *Schema) Fingerprint() [32]byte { return s.fingerprint }

// IsRecord tells whether what is written is a record.
func (s *Schema) IsRecord() bool { return s.root.kind == hamba.Record }

// node is a schema as reading needs it. That of a named type is shared by all
// that refer to it, which is how a schema can hold itself.
type node struct {
	kind    hamba.Type
	logical hamba.LogicalType
	scale   int      // of a decimal
	size    int      // of a fixed
	fields  []field  // of a record
	inner   []*node  // branches of a union; items of an array, values of a map
	symbols [][]byte // of an enum, as JSON strings
}

type field struct {
	member []byte // "name": as JSON has it
	of     *node
}

type compiler struct{ named map[string]*node }

func (c *compiler) compile(s hamba.Schema) (*node, error) {
	n := &node{kind: s.Type()}
	switch s := s.(type) {
	case *hamba.NullSchema:
	case *hamba.PrimitiveSchema:
		n.take(s.Logical())
	case *hamba.FixedSchema:
		c.named[s.FullName()] = n
		n.size = s.Size()
		n.take(s.Logical())
	case *hamba.EnumSchema:
		c.named[s.FullName()] = n
		for _, symbol := range s.Symbols() {
			n.symbols = append(n.symbols, trait.AppendJSONString(nil, symbol))
		}
	case *hamba.RefSchema:
		if known := c.named[s.Schema().FullName()]; known != nil {
			return known, nil
		}
		return c.compile(s.Schema()) // of another text
	case *hamba.ArraySchema:
		return n, c.within(n, s.Items())
	case *hamba.MapSchema:
		return n, c.within(n, s.Values())
	case *hamba.UnionSchema:
		return n, c.within(n, s.Types()...)
	case *hamba.RecordSchema:
		n.kind = hamba.Record // an error is one too
		c.named[s.FullName()] = n
		return n, c.record(n, s)
	default:
		return nil, fmt.Errorf("%s is no type of Avro", s.Type())
	}
	return n, nil
}

func (n *node) take(l hamba.LogicalSchema) {
	if l == nil {
		return
	}
	n.logical = l.Type()
	if d, ok := l.(*hamba.DecimalLogicalSchema); ok {
		n.scale = d.Scale()
	}
}

func (c *compiler) within(n *node, all ...hamba.Schema) error {
	for _, s := range all {
		inner, err := c.compile(s)
		if err != nil {
			return err
		}
		n.inner = append(n.inner, inner)
	}
	return nil
}

func (c *compiler) record(n *node, s *hamba.RecordSchema) error {
	for _, f := range s.Fields() {
		of, err := c.compile(f.Type())
		if err != nil {
			return err
		}
		n.fields = append(n.fields, field{append(trait.AppendJSONString(nil, f.Name()), ':'), of})
	}
	return nil
}
