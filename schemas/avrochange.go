package schemas

import (
	"encoding/hex"

	"github.com/go-json-experiment/json/jsontext"

	"traitstream/schemas/avro"
	"traitstream/trait"
)

// ChangeWriter writes records of the traits topic, in JSON or Avro. It is not
// safe for concurrent use.
//
// Avro's binary encoding of these two schemas is a row of strings and numbers. It
// is written here and not by a library: those call methods by name, for which the
// linker keeps all methods of the program. The tests hold it to what hamba/avro
// writes by the same schemas.
type ChangeWriter struct {
	avro *Avro // nil: JSON
	text []byte
}

// NewChangeWriter returns a writer of Avro, or of JSON where a is nil.
func NewChangeWriter(a *Avro) *ChangeWriter {
	return &ChangeWriter{avro: a, text: make([]byte, 0, 64)} // an empty text is not nil
}

// Append is AppendChange in the writer's format.
func (w *ChangeWriter) Append(text []byte, k trait.Key, e *trait.Emission, id [16]byte) ([]byte, ChangeRecord) {
	if w.avro == nil {
		return AppendChange(text, k, e, id)
	}
	start := len(text)
	text = avro.AppendPrefix(text, w.avro.key)
	body := len(text)
	text = avro.AppendString(text, k.Identity.String())
	text = avro.AppendString(text, k.User)
	text = avro.AppendString(text, k.Trait)
	key := len(text)
	if e.Value == nil {
		text = hex.AppendEncode(text, id[:])
		reason := len(text)
		text = append(text, e.Reason...)
		return text, ChangeRecord{Key: part(text, start, key), ID: part(text, key, reason), Reason: part(text, reason, len(text))}
	}
	text = avro.AppendPrefix(text, w.avro.value)
	text = append(text, text[body:key]...) // a value begins with the key's fields
	text, end := w.appendFacts(text, e, id)
	return text, ChangeRecord{
		Key: part(text, start, key), Value: part(text, key, len(text)), ID: part(text, end-hex.EncodedLen(len(id)), end),
	}
}

// appendFacts appends the fields after those of the key, in the schema's order,
// and tells where the change id ends among them.
func (w *ChangeWriter) appendFacts(dst []byte, e *trait.Emission, id [16]byte) (_ []byte, idEnd int) {
	dst = avro.AppendString(dst, w.plain(e.Value))
	dst = appendNullable(dst, w.plain(e.Previous))
	dst = avro.AppendLong(dst, e.SeenAt)
	dst = avro.AppendString(dst, e.Facts.Flag)
	dst = appendNullable(dst, e.Facts.Environment)
	dst = appendNullable(dst, e.Facts.Label)
	dst = avro.AppendLong(dst, e.Version)
	dst = avro.AppendString(dst, e.Facts.Definition)
	dst = hex.AppendEncode(avro.AppendLong(dst, int64(hex.EncodedLen(len(id)))), id[:])
	idEnd = len(dst)
	dst = appendPlace(dst, &e.Facts.Place)
	dst = avro.AppendString(dst, jsonType(e.Value))
	if e.Previous == nil {
		return appendNullable(dst, nil), idEnd
	}
	return avro.AppendString(avro.AppendLong(dst, 1), jsonType(e.Previous)), idEnd
}

func appendPlace(dst []byte, p *trait.Place) []byte {
	dst = avro.AppendString(dst, p.Topic)
	dst = avro.AppendLong(dst, int64(p.Partition))
	dst = avro.AppendLong(dst, p.Offset)
	if p.Index < 0 {
		return avro.AppendLong(dst, 0)
	}
	return avro.AppendLong(avro.AppendLong(dst, 1), int64(p.Index))
}

// appendNullable appends a union of null and string.
func appendNullable(dst, text []byte) []byte {
	if text == nil {
		return avro.AppendLong(dst, 0)
	}
	return avro.AppendString(avro.AppendLong(dst, 1), text)
}

// plain returns the text of a value: of a string what it says, of all else its
// compact JSON. It holds until the next call.
func (w *ChangeWriter) plain(json []byte) []byte {
	if !isQuoted(json) {
		return json
	}
	w.text, _ = jsontext.AppendUnquote(w.text[:0], json) // a value of ours is a string of JSON
	return w.text
}

// jsonType returns the type of a value that is not null.
func jsonType(json []byte) string {
	switch jsontext.Value(json).Kind() {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	}
	return "number"
}
