package schemas

import (
	"errors"

	"traitstream/impression"
	"traitstream/schemas/avro"
)

// UnknownSchema is the reason of a record whose schema the registry does not
// have, or not in a form that can be read.
const UnknownSchema impression.Reason = "unknown_schema"

// Decoder reads the records of a source, in JSON or Avro. It is not safe for
// concurrent use.
type Decoder struct {
	json  *impression.Decoder
	find  avro.Lookup
	topic string
	avro  bool

	// The last schema; a source has few.
	id     avro.ID
	schema *avro.Schema

	text []byte // of records in Avro, as JSON, since the last Reset
}

// mostText is how much of a decoder's text is kept for the next batch, bytes.
const mostText = 4 << 20

// NewDecoder returns a decoder for records of the source. What finds schemas may
// be nil if the source is not in Avro.
func NewDecoder(src impression.Source, filter impression.Filter, find avro.Lookup) *Decoder {
	return &Decoder{json: impression.NewDecoder(src, filter), find: find, topic: src.Topic, avro: src.Format == impression.Avro}
}

// WantsHeader tells whether Decode makes use of the header
// [avro.HeaderValueSchema].
func (d *Decoder) WantsHeader() bool { return d.avro }

// Decode appends the elements of one record's value to dst, as
// [impression.Decoder.Decode] does; a record in Avro is one element. The header
// is nil where the record has none. The only error is an [avro.ErrAway]: the
// record can't be read now.
func (d *Decoder) Decode(dst []impression.Element, value, header []byte) ([]impression.Element, error) {
	if !d.avro || value == nil {
		return d.json.Decode(dst, value), nil
	}
	start := len(d.text)
	text, why, err := appendAvroFacts(d.text, value, header, d.schemaOf)
	if err != nil {
		return dst, err
	}
	if why != nil {
		return append(dst, impression.RefuseRecord(d.topic, value, why.reason, why.message)), nil
	}
	d.text = text
	before := len(dst)
	dst = d.json.Decode(dst, text[start:len(text):len(text)])
	for i := range dst[before:] {
		dst[before+i].StandFor(value)
	}
	return dst, nil
}

// fault is why a record in Avro is no impression.
type fault struct {
	reason  impression.Reason
	message string
}

// appendAvroFacts appends a value in Avro as the JSON that its impression is decoded
// from, or tells what is wrong with it. The only error is an [avro.ErrAway].
func appendAvroFacts(dst, value, header []byte, find avro.Lookup) ([]byte, *fault, error) {
	id, body, ok := avro.Split(value, header)
	if !ok {
		return dst, &fault{impression.Malformed, errNoSchema.Error()}, nil
	}
	s, err := find(id)
	if unknown := (*avro.UnknownError)(nil); errors.As(err, &unknown) {
		return dst, &fault{UnknownSchema, unknown.Error()}, nil
	}
	if err != nil {
		return dst, nil, err
	}
	text, err := s.AppendJSON(dst, body, avro.Facts)
	if err != nil {
		return dst, &fault{impression.Malformed, err.Error() + " (schema " + id.String() + ")"}, nil //nolint:nilerr // it is the fault
	}
	if text[len(dst)] != '{' {
		return dst, &fault{impression.UnknownShape, "Avro that is no record (schema " + id.String() + ")"}, nil
	}
	return text, nil, nil
}

// AppendFacts appends a record's value in Avro as the JSON that its impression is
// decoded from; false for one that can't be read. The only error is an
// [avro.ErrAway].
func AppendFacts(dst, value, header []byte, find avro.Lookup) ([]byte, bool, error) {
	text, why, err := appendAvroFacts(dst, value, header, find)
	return text, why == nil && err == nil, err
}

func (d *Decoder) schemaOf(id avro.ID) (*avro.Schema, error) {
	if d.schema != nil && id == d.id {
		return d.schema, nil
	}
	s, err := d.find(id)
	if err != nil {
		return nil, err
	}
	d.id, d.schema = id, s
	return s, nil
}

// Reset takes back the memory that decoded elements refer to, for the next
// batch.
func (d *Decoder) Reset() {
	d.json.Reset()
	if d.text = d.text[:0]; cap(d.text) > mostText {
		d.text = nil
	}
}
