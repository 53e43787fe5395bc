package schemas

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"traitstream/schemas/avro"
	"traitstream/trait"
)

// Avro says under which schemas the records of the traits topic are written, and
// reads those that any release has written.
type Avro struct {
	key, value int32
	find       avro.Lookup
}

// NewAvro takes the ids that a registry has given to [KeyAvro] and [ValueAvro],
// and what finds the schemas of other releases.
func NewAvro(key, value int32, find avro.Lookup) *Avro {
	return &Avro{key: key, value: value, find: find}
}

// AppendPlainJSON appends a key or value that was written in Avro as JSON, with
// the members that its schema has, as [avro.Shown].
func AppendPlainJSON(dst, data, header []byte, find avro.Lookup) ([]byte, error) {
	id, body, ok := avro.Split(data, header)
	if !ok {
		return dst, errNoSchema
	}
	s, err := find(id)
	if err != nil {
		return dst, err
	}
	return s.AppendJSON(dst, body, avro.Shown)
}

var errNoSchema = errors.New("it does not begin with 0 and the id of a schema, as Avro from a schema registry does, nor does a header tell one")

// Key returns a key of the traits topic as JSON writes it.
func (a *Avro) Key(data []byte) ([]byte, error) {
	text, err := AppendPlainJSON(nil, data, nil, a.find)
	if err != nil {
		return nil, fmt.Errorf("reading the key of a change: %w", err)
	}
	return text, nil
}

// Value returns a value of the traits topic as JSON writes it; that of a removal
// is nil.
func (a *Avro) Value(data []byte) ([]byte, error) {
	if data == nil {
		return nil, nil
	}
	text, err := AppendPlainJSON(nil, data, nil, a.find)
	var c Change
	if err == nil {
		c, err = decodeTyped(text)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the value of a change: %w", err)
	}
	return AppendValue(nil, c.Key, &c.Emission, c.ID), nil
}

// wireTyped is a value as its Avro schema has it: the JSON types of value and
// previous stand beside them.
type wireTyped struct {
	wireValue
	ValueType    *string `json:"value_type"`
	PreviousType *string `json:"previous_type"`
}

func decodeTyped(text []byte) (Change, error) {
	var w wireTyped
	if err := json.Unmarshal(text, &w); err != nil {
		return Change{}, err
	}
	if w.ValueType == nil || (w.PreviousType == nil) != (w.Previous.Kind() == 'n') {
		return Change{}, errMissing
	}
	for _, one := range []struct {
		json *jsontext.Value
		kind *string
	}{{&w.Value, w.ValueType}, {&w.Previous, w.PreviousType}} {
		if one.kind == nil || *one.kind == "string" || one.json.Kind() != '"' {
			continue
		}
		plain, err := jsontext.AppendUnquote(nil, *one.json)
		if err != nil {
			return Change{}, err
		}
		if *one.json = plain; !one.json.IsValid() {
			return Change{}, fmt.Errorf("%q is no JSON", plain)
		}
	}
	return w.change()
}

// CheckKey tells whether a key that the topic holds already fits what would be
// written: if it does not, compaction would keep the old record of a trait beside
// the new one. A key of neither format says nothing: verify tells of it. A nil
// *Avro stands for JSON.
func (a *Avro) CheckKey(key []byte) error {
	id, _, inAvro := avro.Split(key, nil)
	switch {
	case !inAvro && (len(key) == 0 || key[0] != '{'):
		return nil
	case a == nil && inAvro:
		return fmt.Errorf("it holds keys in Avro (schema %s), and output.format is json; each trait would stand in it twice. "+
			"Set output.format to avro, or write to another output.topic", id)
	case a == nil:
		return nil
	case !inAvro:
		return errors.New("it holds keys in JSON, and output.format is avro; each trait would stand in it twice. " +
			"Set output.format to json, or write to another output.topic")
	}
	return a.checkKeySchema(id)
}

func (a *Avro) checkKeySchema(id avro.ID) error {
	ours, err := avro.Parse(KeyAvro)
	if err != nil {
		return err
	}
	theirs, err := a.find(id)
	var unknown *avro.UnknownError
	switch {
	case errors.As(err, &unknown) && id.Number != a.key:
		return fmt.Errorf("it holds keys of schema %s, which is not in this registry, where the key's schema is %d; "+
			"each trait would stand in it twice. Is this the registry that it was written with?", id, a.key)
	case err != nil:
		return fmt.Errorf("finding the schema of its keys: %w", err)
	case theirs.Fingerprint() != ours.Fingerprint():
		return fmt.Errorf("it holds keys of schema %s (fingerprint %x), which is not the key's schema of this program (%d, fingerprint %x); "+
			"is it another program's topic?", id, short(theirs), a.key, short(ours))
	case id.Number != a.key:
		return fmt.Errorf("it holds keys of schema %s, and the registry now gives the key's schema the id %d; each trait would stand in it twice. "+
			"Has the registry lost its schemas? Restore them under their ids, or write to another output.topic", id, a.key)
	}
	return nil
}

// short is as much of a fingerprint as tells schemas apart.
func short(s *avro.Schema) []byte {
	f := s.Fingerprint()
	return f[:8]
}

// AppendKey appends the key of the traits topic in Avro.
func (a *Avro) AppendKey(dst []byte, k trait.Key) []byte {
	_, r := NewChangeWriter(a).Append(nil, k, &trait.Emission{}, [16]byte{})
	return append(dst, r.Key...)
}
