package oracle

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// member is a name and a value of an object, as they stand there.
type member struct {
	name string
	raw  []byte
}

// members returns an object's members in their order, repeated ones too.
func members(object []byte) []member {
	d := json.NewDecoder(bytes.NewReader(object))
	must(d.Token())
	var all []member
	for d.More() {
		name := must(d.Token()).(string)
		var raw json.RawMessage
		check(d.Decode(&raw))
		all = append(all, member{name, raw})
	}
	return all
}

// items returns an array's elements.
func items(array []byte) [][]byte {
	var all []json.RawMessage
	check(json.Unmarshal(array, &all))
	raws := make([][]byte, len(all))
	for i, raw := range all {
		raws[i] = raw
	}
	return raws
}

// kind tells a value's JSON type by its first byte: one of { [ " t f n 0.
func kind(raw []byte) byte {
	c := bytes.TrimLeft(raw, " \t\r\n")[0]
	if c == '-' || c >= '0' && c <= '9' {
		return '0'
	}
	return c
}

// text returns what a JSON string says, and whether all of it is Unicode: no
// invalid UTF-8 and no lone surrogate.
func text(raw []byte) (string, bool) {
	var s string
	check(json.Unmarshal(raw, &s))
	return s, utf8.Valid(raw) && !loneSurrogate(raw)
}

func loneSurrogate(raw []byte) bool {
	unit := func(i int) uint64 {
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0
		}
		u, _ := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
		return u
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		u := unit(i)
		high, low := u >= 0xd800 && u < 0xdc00, u >= 0xdc00 && u < 0xe000
		switch {
		case high && unit(i+6) >= 0xdc00 && unit(i+6) < 0xe000:
			i += 11
		case high || low:
			return true
		default:
			i++ // what the backslash escapes is no backslash of its own
		}
	}
	return false
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

// decimal is a number as JSON writes it: digits times ten to an exponent.
type decimal struct {
	negative bool
	digits   string // without zeros at either end; empty for zero
	point    int    // where the point stands among the digits
}

// parseDecimal reads a JSON number, without blanks.
func parseDecimal(s string) (decimal, bool) {
	if s == "" || kind([]byte(s+" ")) != '0' || !json.Valid([]byte(s)) || strings.TrimSpace(s) != s {
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
