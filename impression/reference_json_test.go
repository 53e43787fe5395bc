package impression

import (
	"bytes"
	"errors"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// node is a JSON value as a tree, the slow and obvious way.
type node struct {
	kind    byte // as jsontext has it: one of { [ " 0 n t f
	raw     []byte
	offset  int
	members []member
	items   []*node
}

type member struct {
	name  string
	value *node
}

// parseTree reads one JSON document, or returns nil if it is not valid.
func parseTree(data []byte) *node {
	dec := jsontext.NewDecoder(bytes.NewReader(data),
		jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	n := parseNode(dec, data)
	if n == nil {
		return nil
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil
	}
	return n
}

func parseNode(dec *jsontext.Decoder, data []byte) *node {
	kind := byte(dec.PeekKind())
	n := &node{kind: kind}
	switch kind {
	case '{', '[':
		if _, err := dec.ReadToken(); err != nil {
			return nil
		}
		n.offset = int(dec.InputOffset()) - 1
		for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
			var name string
			if kind == '{' {
				raw, err := dec.ReadValue()
				if err != nil {
					return nil
				}
				name = string(unquoteSlowly(raw))
			}
			value := parseNode(dec, data)
			if value == nil {
				return nil
			}
			n.items = append(n.items, value)
			n.members = append(n.members, member{name, value})
		}
		if _, err := dec.ReadToken(); err != nil {
			return nil
		}
	default:
		if _, err := dec.ReadValue(); err != nil {
			return nil
		}
		n.offset = -1
	}
	end := int(dec.InputOffset())
	if n.offset < 0 {
		n.offset = end - len(scalarBefore(data[:end], kind))
	}
	n.raw = data[n.offset:end]
	return n
}

// scalarBefore returns the scalar that ends where data ends.
func scalarBefore(data []byte, kind byte) []byte {
	if kind != '"' {
		return data[1+bytes.LastIndexAny(data, " \t\r\n,:[{"):]
	}
	for i := len(data) - 2; ; i-- {
		slashes := len(data[:i]) - len(bytes.TrimRight(data[:i], `\`))
		if data[i] == '"' && slashes%2 == 0 {
			return data[i:]
		}
	}
}

var escapes = map[byte]string{'"': `"`, '\\': `\`, '/': "/", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t"}

// unquoteSlowly tells what a JSON string means. A lone surrogate becomes three
// bytes that are not UTF-8.
func unquoteSlowly(raw []byte) []byte {
	var units []any // a string of bytes, or a UTF-16 unit
	for s := raw[1 : len(raw)-1]; len(s) > 0; {
		switch {
		case s[0] == '\\' && s[1] == 'u':
			u, _ := strconv.ParseUint(string(s[2:6]), 16, 16)
			units = append(units, uint16(u))
			s = s[6:]
		case s[0] == '\\':
			units = append(units, escapes[s[1]])
			s = s[2:]
		default:
			units = append(units, string(s[:1]))
			s = s[1:]
		}
	}
	var out []byte
	for i := 0; i < len(units); i++ {
		u, ok := units[i].(uint16)
		if !ok {
			out = append(out, units[i].(string)...)
			continue
		}
		r := rune(u)
		if i+1 < len(units) {
			if low, ok := units[i+1].(uint16); ok && utf16.DecodeRune(r, rune(low)) != utf8.RuneError {
				r = utf16.DecodeRune(r, rune(low))
				i++
			}
		}
		if utf16.IsSurrogate(r) {
			out = append(out, 0xe0|byte(r>>12), 0x80|byte(r>>6&0x3f), 0x80|byte(r&0x3f))
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// lossySlowly is a string's text with U+FFFD for what is not UTF-8.
func lossySlowly(text []byte) string {
	var out strings.Builder
	for len(text) > 0 {
		if len(text) >= 3 && text[0] == 0xed && text[1] >= 0xa0 && text[1] <= 0xbf && text[2]>>6 == 2 {
			out.WriteRune(utf8.RuneError)
			text = text[3:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		out.WriteRune(r)
		text = text[n:]
	}
	return out.String()
}

// decimal is the exact value of a JSON number. Exponents beyond what a test
// could write out are cut.
func decimal(text string) *big.Rat {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	r, _ := new(big.Rat).SetString(mantissa)
	if r.Sign() == 0 || exponent == "" {
		return r
	}
	e, err := strconv.Atoi(exponent)
	if err != nil || e > 5000 || e < -5000 {
		e = 5000
		if strings.HasPrefix(exponent, "-") {
			e = -5000
		}
	}
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(e, -e))), nil)
	if e < 0 {
		return r.Quo(r, new(big.Rat).SetInt(ten))
	}
	return r.Mul(r, new(big.Rat).SetInt(ten))
}

var numberSyntax = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// truncated reads a JSON number; exact tells that it is whole.
func truncated(text string) (n int64, exact, ok bool) {
	if !numberSyntax.MatchString(text) || strings.HasSuffix(text, "\n") {
		return 0, false, false
	}
	r := decimal(text)
	q := new(big.Int).Quo(r.Num(), r.Denom())
	return q.Int64(), r.IsInt(), q.IsInt64()
}

var timeSyntax = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-](\d\d):(\d\d))$`)

// timeOf reads RFC 3339 by way of package time.
func timeOf(text string) (ms int64, ok bool) {
	m := timeSyntax.FindStringSubmatch(text)
	if m == nil || m[5] > "23" || m[6] > "59" {
		return 0, false
	}
	t, err := time.Parse(time.RFC3339, m[1]+"T"+m[2]+strings.ToUpper(m[4]))
	if err != nil {
		return 0, false
	}
	milli, _ := strconv.Atoi((strings.TrimPrefix(m[3], ".") + "000")[:3])
	return t.UnixMilli() + int64(milli), true
}
