package avro

import (
	"crypto/sha256"
	"fmt"
)

// Schema is an Avro schema made ready for reading what was written with it. It
// is safe for concurrent use.
type Schema struct{ root *node }

// Parse reads the text of a schema, and before it those that it refers to, each
// after what it refers to itself.
//
// It takes all that tells how to read: names may have any characters, as they do
// with producers whose libraries do not look at them (a namespace such as
// com.acme.my-app), and defaults, which are for readers with another schema, are
// not looked at.
func Parse(text string, referred ...string) (*Schema, error) {
	p := parser{named: map[string]*node{}, here: map[string]bool{}}
	for _, one := range referred {
		if _, err := p.parse(one); err != nil {
			return nil, fmt.Errorf("reading an Avro schema that is referred to: %w", err)
		}
	}
	root, err := p.parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading an Avro schema: %w", err)
	}
	return &Schema{root}, nil
}

// Fingerprint returns the SHA-256 of the schema's parsing canonical form, which is
// the same for all texts that write the same bytes.
func (s *Schema) Fingerprint() [32]byte {
	return sha256.Sum256(appendCanonical(nil, s.root, map[string]bool{}))
}

// IsRecord tells whether what is written is a record.
func (s *Schema) IsRecord() bool { return s.root.kind == kindRecord }

// kind is a type of Avro, by the name that schemas give it.
type kind string

const (
	kindNull    kind = "null"
	kindBoolean kind = "boolean"
	kindInt     kind = "int"
	kindLong    kind = "long"
	kindFloat   kind = "float"
	kindDouble  kind = "double"
	kindBytes   kind = "bytes"
	kindString  kind = "string"
	kindRecord  kind = "record"
	kindEnum    kind = "enum"
	kindArray   kind = "array"
	kindMap     kind = "map"
	kindUnion   kind = "union"
	kindFixed   kind = "fixed"
)

// logical is what a type stands for; none, and those that change nothing in the
// JSON, are empty.
type logical string

const (
	timestampMillis      logical = "timestamp-millis"
	timestampMicros      logical = "timestamp-micros"
	localTimestampMillis logical = "local-timestamp-millis"
	localTimestampMicros logical = "local-timestamp-micros"
	decimal              logical = "decimal"
)

// node is a schema as reading needs it. That of a named type is shared by all
// that refer to it, which is how a schema can hold itself.
type node struct {
	kind    kind
	logical logical
	scale   int64    // of a decimal
	size    int64    // of a fixed
	name    string   // of a record, an enum or a fixed, with its namespace
	fields  []field  // of a record
	inner   []*node  // branches of a union; items of an array, values of a map
	symbols [][]byte // of an enum, as JSON strings
}

type field struct {
	member []byte // "name": as JSON has it
	of     *node
}
