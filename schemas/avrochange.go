package schemas

import (
	"encoding/hex"

	"github.com/go-json-experiment/json/jsontext"
	hamba "github.com/hamba/avro/v2"

	"traitstream/schemas/avro"
	"traitstream/trait"
)

// ChangeWriter writes records of the traits topic, in JSON or Avro. It is not
// safe for concurrent use.
type ChangeWriter struct {
	avro *Avro // nil: JSON
	w    *hamba.Writer
	text []byte
}

// NewChangeWriter returns a writer of Avro, or of JSON where a is nil.
func NewChangeWriter(a *Avro) *ChangeWriter {
	return &ChangeWriter{avro: a, w: hamba.NewWriter(nil, 512), text: make([]byte, 0, 64)} // an empty text is not nil
}

// Append is AppendChange in the writer's format.
func (w *ChangeWriter) Append(text []byte, k trait.Key, e *trait.Emission, id [16]byte) ([]byte, ChangeRecord) {
	if w.avro == nil {
		return AppendChange(text, k, e, id)
	}
	start := len(text)
	text = avro.AppendPrefix(text, w.avro.key)
	body := len(text)
	w.w.Reset(nil)
	w.w.WriteString(k.Identity.String())
	w.w.WriteBytes(k.User)
	w.w.WriteBytes(k.Trait)
	text = append(text, w.w.Buffer()...)
	key := len(text)
	if e.Value == nil {
		text = hex.AppendEncode(text, id[:])
		reason := len(text)
		text = append(text, e.Reason...)
		return text, ChangeRecord{Key: part(text, start, key), ID: part(text, key, reason), Reason: part(text, reason, len(text))}
	}
	text = avro.AppendPrefix(text, w.avro.value)
	text = append(text, text[body:key]...) // a value begins with the key's fields
	value := len(text)
	end := value + w.facts(e, id)
	text = append(text, w.w.Buffer()...)
	return text, ChangeRecord{
		Key: part(text, start, key), Value: part(text, key, len(text)), ID: part(text, end-hex.EncodedLen(len(id)), end),
	}
}

// facts writes the fields after those of the key, in the schema's order, and
// returns where the change id ends among them.
func (w *ChangeWriter) facts(e *trait.Emission, id [16]byte) (idEnd int) {
	w.w.Reset(nil)
	w.w.WriteBytes(w.plain(e.Value))
	w.optional(w.plain(e.Previous))
	w.w.WriteLong(e.SeenAt)
	w.w.WriteBytes(e.Facts.Flag)
	w.optional(e.Facts.Environment)
	w.optional(e.Facts.Label)
	w.w.WriteLong(e.Version)
	w.w.WriteString(e.Facts.Definition)
	w.text = hex.AppendEncode(w.text[:0], id[:])
	w.w.WriteBytes(w.text)
	idEnd = w.w.Buffered()
	w.place(&e.Facts.Place)
	w.w.WriteString(jsonType(e.Value))
	if e.Previous == nil {
		w.optional(nil)
		return idEnd
	}
	w.w.WriteLong(1)
	w.w.WriteString(jsonType(e.Previous))
	return idEnd
}

func (w *ChangeWriter) place(p *trait.Place) {
	w.w.WriteString(p.Topic)
	w.w.WriteInt(p.Partition)
	w.w.WriteLong(p.Offset)
	if p.Index < 0 {
		w.w.WriteLong(0)
		return
	}
	w.w.WriteLong(1)
	w.w.WriteInt(p.Index)
}

// optional writes a union of null and string.
func (w *ChangeWriter) optional(text []byte) {
	if text == nil {
		w.w.WriteLong(0)
		return
	}
	w.w.WriteLong(1)
	w.w.WriteBytes(text)
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
