package oracle

import (
	"bytes"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// blanks may stand between tokens.
const blanks = " \t\r\n"

// piece is a JSON value as it stands at a place of its record's value.
type piece struct {
	raw []byte
	at  int
}

// member is a name and a value of an object.
type member struct {
	name string
	piece
}

// members returns an object's members in their order, repeated ones too.
func members(object piece) []member {
	d := open(object.raw)
	all := make([]member, 0, 16)
	for d.PeekKind() == '"' {
		name := must(d.ReadToken()).String()
		all = append(all, member{name, next(d, object)})
	}
	return all
}

// items returns an array's elements.
func items(array piece) []piece {
	d := open(array.raw)
	var all []piece
	for d.PeekKind() != ']' {
		all = append(all, next(d, array))
	}
	return all
}

// open steps into an object or an array.
func open(raw []byte) *jsontext.Decoder {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	must(d.ReadToken())
	return d
}

// next reads the next value in what is around it.
func next(d *jsontext.Decoder, around piece) piece {
	n := len(must(d.ReadValue()))
	end := int(d.InputOffset())
	return piece{around.raw[end-n : end : end], around.at + end - n}
}

// kind tells a value's JSON type by its first byte: one of { [ " t f n 0.
func kind(raw []byte) byte {
	c := bytes.TrimLeft(raw, blanks)[0]
	if c == '-' || c >= '0' && c <= '9' {
		return '0'
	}
	return c
}

// text returns what a JSON string says, and whether all of it is Unicode. Bytes
// that are not UTF-8 stay as they are, and a lone surrogate becomes three bytes
// that are not UTF-8 either.
func text(raw []byte) (string, bool) {
	var b []byte
	inside := string(raw[1 : len(raw)-1])
	for inside != "" {
		if inside[0] != '\\' {
			b, inside = append(b, inside[0]), inside[1:]
			continue
		}
		if inside[1] != 'u' {
			b = append(b, "\"\\/\b\f\n\r\t"[strings.IndexByte(`"\/bfnrt`, inside[1])])
			inside = inside[2:]
			continue
		}
		u := unit(inside)
		inside = inside[6:]
		switch pair := utf16.DecodeRune(u, unit(inside)); {
		case pair != utf8.RuneError:
			b, inside = utf8.AppendRune(b, pair), inside[6:]
		case utf16.IsSurrogate(u):
			b = append(b, 0xed, 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
		default:
			b = utf8.AppendRune(b, u)
		}
	}
	return string(b), utf8.Valid(b)
}

// unit returns what an escape such as \u00e9 at the beginning of s says; -1
// where there is none.
func unit(s string) rune {
	if len(s) < 6 || s[:2] != `\u` {
		return -1
	}
	u, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return -1
	}
	return rune(u)
}

// clean returns s with U+FFFD for what is not UTF-8.
func clean(s string) string {
	var b strings.Builder
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 && s[1] < 0xc0 {
			n = 3 // a lone surrogate
		}
		b.WriteRune(r)
		s = s[n:]
	}
	return b.String()
}

// compact writes a value again without blanks and with strings that escape as
// little as JSON allows.
func compact(raw []byte) string {
	var parts []string
	switch kind(raw) {
	case '{':
		for _, m := range members(piece{raw: raw}) {
			parts = append(parts, quote(clean(m.name))+":"+compact(m.raw))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case '[':
		for _, item := range items(piece{raw: raw}) {
			parts = append(parts, compact(item.raw))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case '"':
		s, _ := text(raw)
		return quote(clean(s))
	}
	return string(raw)
}

// quote writes a string as JSON, escaping as little as JSON allows.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		short := strings.IndexByte("\"\\\b\f\n\r\t", c)
		switch {
		case short >= 0:
			b.WriteString(`\` + string(`"\bfnrt`[short]))
		case c < 0x20:
			b.WriteString(`\u00` + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]))
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

var number = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$`)

// decimal is a number as JSON writes it: digits times ten to an exponent.
type decimal struct {
	negative bool
	digits   string // without zeros at either end; empty for zero
	point    int    // where the point stands among the digits
}

// parseDecimal reads a JSON number, without blanks.
func parseDecimal(s string) (decimal, bool) {
	if !number.MatchString(s) {
		return decimal{}, false
	}
	var d decimal
	s, d.negative = strings.CutPrefix(s, "-")
	s = strings.ToLower(s)
	mantissa, exponent, _ := strings.Cut(s, "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	leading := strings.TrimLeft(whole+fraction, "0")
	d.digits = strings.TrimRight(leading, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	e := big.NewInt(0)
	if exponent != "" {
		e.SetString(exponent, 10)
	}
	e.Add(e, big.NewInt(int64(len(whole)-(len(whole)+len(fraction)-len(leading)))))
	const far = 1_000_000 // beyond all that is ever compared
	switch {
	case e.Cmp(big.NewInt(far)) > 0:
		d.point = far
	case e.Cmp(big.NewInt(-far)) < 0:
		d.point = -far
	default:
		d.point = int(e.Int64())
	}
	return d, true
}

// integer returns the number without its fraction, whether there was none, and
// whether it fits into 64 bits.
func (d decimal) integer() (n int64, whole, fits bool) {
	if d.point <= 0 {
		return 0, d.digits == "", true
	}
	if d.point > 19 {
		return 0, false, false
	}
	digits := d.digits
	if len(digits) < d.point {
		digits += strings.Repeat("0", d.point-len(digits))
	}
	if d.negative {
		digits = "-" + digits[:d.point]
	} else {
		digits = digits[:d.point]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, len(d.digits) <= d.point, err == nil
}

// compare orders two numbers exactly.
func (d decimal) compare(o decimal) int {
	sign := func(d decimal) int {
		switch {
		case d.digits == "":
			return 0
		case d.negative:
			return -1
		}
		return 1
	}
	if sign(d) != sign(o) {
		return sign(d) - sign(o)
	}
	size := d.point - o.point
	if size == 0 {
		size = strings.Compare(d.digits, o.digits)
	}
	return size * sign(d)
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

// check ends the test: all JSON was found valid before it is taken apart.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
