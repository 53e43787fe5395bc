package impression

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// unhex returns the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// unescape appends what the inside of a JSON string means, which must have been
// scanned. Bytes that are not UTF-8 stay as they are, and a lone surrogate
// becomes the three bytes that UTF-8 forbids for it, so that utf8.Valid finds
// both.
func unescape(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		if src[i] != '\\' {
			run := i
			for i < len(src) && src[i] != '\\' {
				i++
			}
			dst = append(dst, src[run:i]...)
			continue
		}
		if src[i+1] != 'u' {
			dst = append(dst, unescapeByte(src[i+1]))
			i += 2
			continue
		}
		r := hexRune(src[i+2:])
		i += 6
		if utf16.IsSurrogate(r) {
			if i+6 <= len(src) && src[i] == '\\' && src[i+1] == 'u' {
				if pair := utf16.DecodeRune(r, hexRune(src[i+2:])); pair != utf8.RuneError {
					dst = utf8.AppendRune(dst, pair)
					i += 6
					continue
				}
			}
			dst = append(dst, 0xed, byte(0x80|r>>6&0x3f), byte(0x80|r&0x3f))
			continue
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

func unescapeByte(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// hexRune reads the four hexadecimal digits that b begins with.
func hexRune(b []byte) rune {
	return rune(unhex(b[0])<<12 | unhex(b[1])<<8 | unhex(b[2])<<4 | unhex(b[3]))
}

// clean appends s with U+FFFD for each lone surrogate of unescape and for each
// other byte that is not UTF-8.
func clean(dst, s []byte) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 && isSurrogate(s) {
			n = 3
		}
		dst = utf8.AppendRune(dst, r)
		s = s[n:]
	}
	return dst
}

func isSurrogate(s []byte) bool {
	return len(s) >= 3 && s[0] == 0xed && s[1]&0xe0 == 0xa0 && s[2]&0xc0 == 0x80
}

// maxEcho is how many bytes of a record a message repeats.
const maxEcho = 40

// quote shows bytes of a record in a message: cut to maxEcho, in quotes, with
// what cannot be printed escaped.
func quote(b []byte) string {
	if len(b) <= maxEcho {
		return strconv.Quote(string(b))
	}
	cut := maxEcho
	for cut > maxEcho-utf8.UTFMax && !utf8.RuneStart(b[cut]) {
		cut--
	}
	return strconv.Quote(string(b[:cut])) + "..."
}
