package avro

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"traitstream/trait"
)

const (
	// maxDepth bounds how deep a body may be, through all kinds of containers.
	maxDepth = 1000
	// maxGrowth bounds the JSON of a body, by its bytes, beside what each may have
	// whatever its size: an array of nulls or of empty records takes next to nothing
	// in Avro, whatever its length.
	maxGrowth = 32
	maxShown  = 1 << 20
	maxFacts  = 4 << 10 // many are held at a time
	// maxDecimal is the longest decimal that is read as a number, bytes.
	maxDecimal = 64
)

var (
	errEnds  = errors.New("the Avro body ends too early, or its schema is another")
	errRest  = errors.New("bytes are left after the Avro body: its schema is another")
	errValue = errors.New("the Avro body holds what its schema does not know")
	errDeep  = errors.New("the Avro body is too deep")
	errLarge = errors.New("the Avro body is too large as JSON")
)

// Form says what the JSON is for.
type Form uint8

const (
	// Facts is for the decoder of impressions: times are milliseconds since 1970,
	// and fields that are null are left out.
	Facts Form = iota
	// Shown is for people and their programs: times are in RFC 3339.
	Shown
)

// AppendJSON appends a body as JSON without blanks, its strings in canonical
// form. Branches of unions stand for themselves, times are cut off to the
// millisecond, decimals are numbers; bytes are a string where they are UTF-8, else
// {"base64":…}; what JSON has no number for is a string.
func (s *Schema) AppendJSON(dst, body []byte, form Form) ([]byte, error) {
	w := writer{rest: body, dst: dst, form: form, limit: len(dst) + maxGrowth*len(body)}
	if form == Shown {
		w.limit += maxShown
	} else {
		w.limit += maxFacts
	}
	w.value(s.root, 0)
	if w.err == nil && len(w.rest) > 0 {
		w.err = errRest
	}
	return w.dst, w.err
}

// writer turns a body into JSON. After the first error nothing is left to read.
type writer struct {
	rest  []byte
	dst   []byte
	form  Form
	limit int
	err   error
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
	w.rest = nil
}

func (w *writer) value(n *node, depth int) {
	if depth > maxDepth {
		w.fail(errDeep)
	}
	if len(w.dst) > w.limit {
		w.fail(errLarge)
	}
	if w.err != nil {
		return
	}
	switch n.kind {
	case kindNull:
		w.limit-- // it may be left out again, and takes its time all the same
		w.dst = append(w.dst, "null"...)
	case kindBoolean:
		w.boolean()
	case kindInt, kindLong:
		w.integer(n, w.long())
	case kindFloat:
		if b := w.take(4); b != nil {
			w.float(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32)
		}
	case kindDouble:
		if b := w.take(8); b != nil {
			w.float(math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
		}
	case kindString:
		w.dst = trait.AppendJSONString(w.dst, w.take(w.long()))
	case kindBytes:
		w.bytes(n, w.take(w.long()))
	case kindFixed:
		w.bytes(n, w.take(n.size))
	default:
		w.container(n, depth+1)
	}
}

// container writes what is of other types, at a depth of its own.
func (w *writer) container(n *node, depth int) {
	switch n.kind {
	case kindEnum:
		if i := w.long(); w.within(i, len(n.symbols)) {
			w.dst = append(w.dst, n.symbols[i]...)
		}
	case kindUnion:
		if i := w.long(); w.within(i, len(n.inner)) {
			w.value(n.inner[i], depth)
		}
	case kindRecord:
		w.record(n, depth)
	case kindArray:
		w.blocks('[', ']', func() { w.value(n.inner[0], depth) })
	case kindMap:
		w.blocks('{', '}', func() {
			w.dst = append(trait.AppendJSONString(w.dst, w.take(w.long())), ':')
			w.value(n.inner[0], depth)
		})
	}
}

func (w *writer) record(n *node, depth int) {
	w.dst = append(w.dst, '{')
	first := len(w.dst)
	for i := range n.fields {
		before := len(w.dst)
		if before > first {
			w.dst = append(w.dst, ',')
		}
		w.dst = append(w.dst, n.fields[i].member...)
		at := len(w.dst)
		w.value(n.fields[i].of, depth)
		if w.form == Facts && string(w.dst[at:]) == "null" {
			w.dst = w.dst[:before]
		}
	}
	w.dst = append(w.dst, '}')
}

// blocks writes the items of an array or a map, which come in blocks: a count,
// where it is negative the block's size too, then the items; 0 ends them.
func (w *writer) blocks(open, end byte, item func()) {
	w.dst = append(w.dst, open)
	first := true
	for count := w.count(); count > 0; count = w.count() {
		for ; count > 0 && w.err == nil; count-- {
			if !first {
				w.dst = append(w.dst, ',')
			}
			first = false
			item()
		}
	}
	w.dst = append(w.dst, end)
}

// count returns how many items the next block has.
func (w *writer) count() uint64 {
	n := w.long()
	if n >= 0 {
		return uint64(n)
	}
	w.long()
	return -uint64(n)
}

func (w *writer) within(i int64, n int) bool {
	if w.err == nil && (i < 0 || i >= int64(n)) {
		w.fail(errValue)
	}
	return w.err == nil
}

// long returns the next int or long, 0 after an error.
func (w *writer) long() int64 {
	v, n := binary.Varint(w.rest)
	if n <= 0 {
		w.fail(errEnds)
		return 0
	}
	w.rest = w.rest[n:]
	return v
}

// take returns the next n bytes, nil after an error.
func (w *writer) take(n int64) []byte {
	if n < 0 || n > int64(len(w.rest)) {
		w.fail(errEnds)
		return nil
	}
	b := w.rest[:n:n]
	w.rest = w.rest[n:]
	return b
}

func (w *writer) boolean() {
	b := w.take(1)
	switch {
	case b == nil:
	case b[0] == 0:
		w.dst = append(w.dst, "false"...)
	case b[0] == 1:
		w.dst = append(w.dst, "true"...)
	default:
		w.fail(errValue)
	}
}

func (w *writer) integer(n *node, v int64) {
	switch n.logical {
	case timestampMillis, localTimestampMillis:
		w.time(v)
	case timestampMicros, localTimestampMicros:
		w.time(floor(v, 1000))
	default:
		w.dst = strconv.AppendInt(w.dst, v, 10)
	}
}

func floor(v, by int64) int64 {
	if v%by < 0 {
		return v/by - 1
	}
	return v / by
}

func (w *writer) time(ms int64) {
	if w.form == Facts {
		w.dst = strconv.AppendInt(w.dst, ms, 10)
		return
	}
	w.dst = time.UnixMilli(ms).UTC().AppendFormat(w.dst, `"2006-01-02T15:04:05.000Z"`)
}

// float writes a number; a large one without an exponent as long as it is exact,
// since it may be a time or a version.
func (w *writer) float(f float64, bits int) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		w.dst = append(strconv.AppendFloat(append(w.dst, '"'), f, 'g', -1, bits), '"')
	case math.Abs(f) < 1<<53 && f == math.Trunc(f):
		w.dst = strconv.AppendFloat(w.dst, f, 'f', -1, bits)
	default:
		w.dst = strconv.AppendFloat(w.dst, f, 'g', -1, bits)
	}
}

func (w *writer) bytes(n *node, b []byte) {
	switch {
	case w.err != nil:
	case n.logical == decimal && len(b) > 0 && len(b) <= maxDecimal && n.scale <= 2*maxDecimal:
		w.decimal(b, n.scale)
	case utf8.Valid(b):
		w.dst = trait.AppendJSONString(w.dst, b)
	default:
		w.dst = append(w.dst, `{"base64":"`...)
		w.dst = append(base64.StdEncoding.AppendEncode(w.dst, b), `"}`...)
	}
}

// decimal writes a whole number, two's complement with the highest byte first,
// divided by a power of ten.
func (w *writer) decimal(b []byte, scale int64) {
	v := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	if v.Sign() < 0 {
		w.dst = append(w.dst, '-')
		v.Neg(v)
	}
	digits := v.Append(nil, 10)
	for int64(len(digits)) <= scale {
		digits = append([]byte{'0'}, digits...)
	}
	whole := len(digits) - int(scale)
	w.dst = append(w.dst, digits[:whole]...)
	if scale > 0 {
		w.dst = append(append(w.dst, '.'), digits[whole:]...)
	}
}
