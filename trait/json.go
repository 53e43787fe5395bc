package trait

import (
	"unicode/utf16"
	"unicode/utf8"
)

const hex = "0123456789abcdef"

// AppendJSONString appends s as a JSON string in canonical form: only `"`, `\`
// and U+0000 to U+001F are escaped, as \b \f \n \r \t or else \u00xx in lower
// case. All other bytes stand as they are, so s should be valid UTF-8.
func AppendJSONString[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			dst = append(dst, s[start:i]...)
			dst = appendEscaped(dst, c)
			start = i + 1
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// appendCompact appends a valid JSON value without blanks and with canonical
// strings; numbers stay as they are written. It reports false for text that has
// no canonical form: invalid UTF-8 or a lone surrogate.
func appendCompact(dst, json []byte) ([]byte, bool) {
	if !utf8.Valid(json) {
		return dst, false
	}
	quoted := false
	for i := 0; i < len(json); i++ {
		c := json[i]
		switch {
		case quoted && c == '\\':
			var ok bool
			if dst, i, ok = appendEscape(dst, json, i+1); !ok {
				return dst, false
			}
			continue
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		dst = append(dst, c)
	}
	return dst, true
}

// appendEscape rewrites the escape whose letter is at json[i] and returns the
// index of its last byte.
func appendEscape(dst, json []byte, i int) ([]byte, int, bool) {
	if i >= len(json) {
		return dst, i, false
	}
	switch json[i] {
	case '/':
		return append(dst, '/'), i, true
	case 'u':
	default:
		return append(dst, '\\', json[i]), i, true
	}
	r, ok := hexRune(json, i+1)
	i += 4
	if ok && utf16.IsSurrogate(r) {
		low, found := hexRune(json, i+3)
		ok = found && json[i+1] == '\\' && json[i+2] == 'u'
		r = utf16.DecodeRune(r, low)
		ok = ok && r != utf8.RuneError
		i += 6
	}
	switch {
	case !ok:
		return dst, i, false
	case r < ' ' || r == '"' || r == '\\':
		return appendEscaped(dst, byte(r)), i, true
	}
	return utf8.AppendRune(dst, r), i, true
}

// hexRune reads the four hex digits at json[i:].
func hexRune(json []byte, i int) (r rune, ok bool) {
	if i+4 > len(json) {
		return 0, false
	}
	for _, c := range json[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
