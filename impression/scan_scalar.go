package impression

import (
	"encoding/binary"
	"math/bits"
)

// Masks of eight bytes at once.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// str scans the string whose opening quote is at i.
func (s *scanner) str(i int) (end int, f flags) {
	data := s.data
	i++
	var seen uint64
	for {
		for i+8 <= len(data) {
			w := binary.LittleEndian.Uint64(data[i:])
			stop := stops(w)
			if stop != 0 {
				seen |= w & (stop&-stop - 1)
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			seen |= w
			i += 8
		}
		for i < len(data) && data[i] != '"' && data[i] != '\\' && data[i] >= ' ' {
			seen |= uint64(data[i])
			i++
		}
		if i >= len(data) {
			return s.fail(i, `'"'`), 0
		}
		if data[i] == '"' {
			break
		}
		if i = s.escape(i); i < 0 {
			return -1, 0
		}
		f |= escaped
	}
	if seen&highBits != 0 {
		f |= nonASCII
	}
	return i + 1, f
}

// stops marks, of eight bytes of a string, those that end a plain run: quotes,
// backslashes and control characters. The lowest mark is exact; higher ones may
// be false.
func stops(w uint64) uint64 {
	quote := w ^ '"'*lowBits
	slash := w ^ '\\'*lowBits
	return ((quote-lowBits)&^quote | (slash-lowBits)&^slash | (w-' '*lowBits)&^w) & highBits
}

// asciiStops marks the same and bytes of 0x80 or more. Where there is no mark
// below, a byte less what it must not be borrows only where it is that.
func asciiStops(w uint64) uint64 {
	quote := w ^ '"'*lowBits
	slash := w ^ '\\'*lowBits
	return ((quote - lowBits) | (slash - lowBits) | (w - ' '*lowBits) | w) & highBits
}

// escape scans the escape at i, and refuses a control character there.
func (s *scanner) escape(i int) int {
	if s.data[i] != '\\' {
		return s.fail(i, "an escape instead of a control character")
	}
	i++
	if i >= len(s.data) {
		return s.fail(i, "an escape")
	}
	switch s.data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for n := 1; n <= 4; n++ {
			if i+n >= len(s.data) || unhex(s.data[i+n]) < 0 {
				return s.fail(i+n, "four hexadecimal digits")
			}
		}
		return i + 5
	}
	return s.fail(i, "an escape that JSON knows")
}

func (s *scanner) number(i int) int {
	start := i
	if s.data[i] == '-' {
		i++
	}
	if i < len(s.data) && s.data[i] == '0' {
		i++
	} else {
		end := s.digits(i)
		if end == i {
			if end == start {
				return s.fail(i, "a value")
			}
			return s.fail(i, "a digit")
		}
		i = end
	}
	if i < len(s.data) && s.data[i] == '.' {
		end := s.digits(i + 1)
		if end == i+1 {
			return s.fail(end, "a digit")
		}
		i = end
	}
	if i < len(s.data) && s.data[i]|0x20 == 'e' {
		i++
		if i < len(s.data) && (s.data[i] == '+' || s.data[i] == '-') {
			i++
		}
		end := s.digits(i)
		if end == i {
			return s.fail(i, "a digit")
		}
		i = end
	}
	return i
}

// digits returns the place after the digits that begin at i.
func (s *scanner) digits(i int) int {
	for i+8 <= len(s.data) && allDigits(binary.LittleEndian.Uint64(s.data[i:])) {
		i += 8
	}
	for i < len(s.data) && s.data[i]-'0' <= 9 {
		i++
	}
	return i
}

// allDigits tells whether eight bytes are digits. Those whose upper half is 3
// and stays it with six more are.
func allDigits(w uint64) bool {
	const upper, three = 0xf0 * lowBits, 0x30 * lowBits
	return w&upper == three && (w+6*lowBits)&upper == three
}
