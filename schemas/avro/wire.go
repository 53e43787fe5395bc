package avro

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Headers in which a record tells its schemas instead of in a prefix, as
// Confluent's HeaderSchemaIdSerializer writes them.
const (
	HeaderKeySchema   = "__key_schema_id"
	HeaderValueSchema = "__value_schema_id"
)

const (
	magicID   = 0 // four bytes of id follow, the highest first
	magicGUID = 1 // sixteen bytes of GUID follow

	prefixSize = 5
	guidSize   = 16
)

// ID names a schema in a registry: by its number or, where GUID is not zero, by
// that.
type ID struct {
	Number int32
	GUID   [guidSize]byte
}

// HasGUID tells whether the schema is named by its GUID.
func (id ID) HasGUID() bool { return id.GUID != [guidSize]byte{} }

// String returns the number, or the GUID with its hyphens.
func (id ID) String() string {
	if !id.HasGUID() {
		return strconv.Itoa(int(id.Number))
	}
	h := hex.EncodeToString(id.GUID[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}

// AppendPrefix appends what stands before a body: 0 and the schema's number.
func AppendPrefix(dst []byte, number int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, magicID), uint32(number))
}

// AppendLong appends an int or a long, or the place of a union's branch, from 0.
func AppendLong(dst []byte, v int64) []byte { return binary.AppendVarint(dst, v) }

// AppendString appends a string, which is to be UTF-8, or bytes.
func AppendString[T string | []byte](dst []byte, text T) []byte {
	return append(AppendLong(dst, int64(len(text))), text...)
}

// Split takes a key or value apart: which schema it was written with, and its
// body. The header is the last of its kind, nil if there is none. As for
// Confluent's reader (SchemaId and DualSchemaIdDeserializer of
// confluentinc/schema-registry), it goes before a prefix, and holds a number, or a
// GUID with its bytes in the order that they are written in. It is false for what
// tells no schema. (No serializer is known that puts a GUID into a prefix.)
func Split(data, header []byte) (id ID, body []byte, ok bool) {
	switch {
	case len(header) == 1+guidSize && header[0] == magicGUID:
		copy(id.GUID[:], header[1:])
		return id, data, id.HasGUID()
	case len(header) == prefixSize && header[0] == magicID:
		id.Number = int32(binary.BigEndian.Uint32(header[1:]))
		return id, data, id.Number >= 0
	case len(data) >= prefixSize && data[0] == magicID:
		id.Number = int32(binary.BigEndian.Uint32(data[1:]))
		return id, data[prefixSize:], id.Number >= 0
	}
	return ID{}, nil, false
}
