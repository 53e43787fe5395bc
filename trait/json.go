package trait

import (
	"encoding/binary"
	"encoding/hex"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendJSONString appends s as a JSON string in canonical form: only `"`, `\`
// and U+0000 to U+001F are escaped, as \b \f \n \r \t or else \u00xx in lower
// case. All other bytes stand as they are, so s should be valid UTF-8.
func AppendJSONString[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	if isPlain([]byte(s)) {
		dst = append(dst, s...)
	} else {
		dst = appendEscaping(dst, s)
	}
	return append(dst, '"')
}

func appendEscaping[T ~string | ~[]byte](dst []byte, s T) []byte {
	start := 0
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			dst = append(dst, s[start:i]...)
			dst = appendEscaped(dst, c)
			start = i + 1
		}
	}
	return append(dst, s[start:]...)
}

// isPlain tells whether a JSON string may hold text as it is. Nearly all text is
// short and plain, so it looks at eight bytes at a time, some of them twice.
func isPlain(text []byte) bool {
	n := len(text)
	if n < 4 {
		var few uint64
		for _, c := range text {
			few = few<<8 | uint64(c)
		}
		return !odd(few | 0x2020202020202020<<(8*n))
	}
	if n < 8 {
		return !odd(uint64(binary.LittleEndian.Uint32(text)) | uint64(binary.LittleEndian.Uint32(text[n-4:]))<<32)
	}
	for rest := text; len(rest) >= 8; rest = rest[8:] {
		if odd(binary.LittleEndian.Uint64(rest)) {
			return false
		}
	}
	return !odd(binary.LittleEndian.Uint64(text[n-8:]))
}

// odd tells whether one of eight bytes has to be escaped. A byte that is less
// than another gets its highest bit by the subtraction, if it did not have it;
// what that borrows matters to none before the first such byte.
func odd(b uint64) bool {
	const ones = 0x0101010101010101
	quote, backslash := b^'"'*ones, b^'\\'*ones
	return ((b-' '*ones)&^b|(quote-ones)&^quote|(backslash-ones)&^backslash)&(0x80*ones) != 0
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
	return hex.AppendEncode(append(dst, `\u00`...), []byte{c})
}

// appendCompact appends a valid JSON value without blanks and with canonical
// strings; numbers stay as they are written. U+FFFD stands for each lone
// surrogate and for each byte that is not UTF-8.
func appendCompact(dst, json []byte) []byte {
	quoted := false
	for i := 0; i < len(json); i++ {
		c := json[i]
		switch {
		case c == '\\' && quoted:
			dst, i = appendEscape(dst, json, i+1)
			continue
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(json[i:])
			dst = utf8.AppendRune(dst, r)
			i += size - 1
			continue
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// appendEscape rewrites the escape whose letter is at json[i] and returns the
// index of its last byte.
func appendEscape(dst, json []byte, i int) ([]byte, int) {
	switch {
	case i >= len(json):
		return dst, i
	case json[i] == '/':
		return append(dst, '/'), i
	case json[i] != 'u':
		return append(dst, '\\', json[i]), i
	}
	r := hexRune(json, i+1)
	i += 4
	if i+2 < len(json) && json[i+1] == '\\' && json[i+2] == 'u' {
		if pair := utf16.DecodeRune(r, hexRune(json, i+3)); pair != utf8.RuneError {
			return utf8.AppendRune(dst, pair), i + 6
		}
	}
	if r < ' ' || r == '"' || r == '\\' {
		return appendEscaped(dst, byte(r)), i
	}
	return utf8.AppendRune(dst, r), i
}

// hexRune reads the four hex digits at json[i:], or else returns U+FFFD.
func hexRune(json []byte, i int) rune {
	var code [2]byte
	if i+4 > len(json) {
		return utf8.RuneError
	}
	if _, err := hex.Decode(code[:], json[i:i+4]); err != nil {
		return utf8.RuneError
	}
	return rune(code[0])<<8 | rune(code[1])
}
