package impression

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// maxDepth is how deep arrays and objects may be nested.
const maxDepth = 10_000

// flags tell what stands in a JSON string.
type flags uint8

const (
	escaped  flags = 1 << iota // a backslash
	nonASCII                   // a byte of 0x80 or more
)

// scanner checks JSON by RFC 8259 in one pass forward. Its methods take the
// place of a token's first byte and return the place after its last one, or -1
// after they have noted a fault. Bytes that are not UTF-8 and lone surrogates
// pass, and so do names that stand twice: they matter in facts alone.
type scanner struct {
	data    []byte
	wanted  string
	faultAt int
}

// fail notes what was wanted at a place where something else stands.
func (s *scanner) fail(at int, wanted string) int {
	s.wanted, s.faultAt = wanted, at
	return -1
}

// faultMessage describes the fault for people.
func (s *scanner) faultMessage() string {
	if s.faultAt >= len(s.data) {
		return fmt.Sprintf("not valid JSON: it ends at byte %d, wanted %s", len(s.data), s.wanted)
	}
	return fmt.Sprintf("not valid JSON: %s at byte %d, wanted %s", quote(s.data[s.faultAt:s.faultAt+1]), s.faultAt, s.wanted)
}

// space returns the place of the first byte from i on that is not blank.
func (s *scanner) space(i int) int {
	for i < len(s.data) {
		switch s.data[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// whole scans a document: one value with nothing but blanks around it. It
// returns the value's bounds; an end of -1 tells of a fault.
func (s *scanner) whole() (start, end int) {
	start = s.space(0)
	end, _ = s.value(start, 0)
	return start, s.finish(end)
}

// finish checks that only blanks follow the value that ends at end.
func (s *scanner) finish(end int) int {
	if end < 0 {
		return -1
	}
	if i := s.space(end); i < len(s.data) {
		return s.fail(i, "nothing more")
	}
	return end
}

// value scans any value; depth is the number of containers around it.
func (s *scanner) value(i, depth int) (end int, f flags) {
	if i >= len(s.data) {
		return s.fail(i, "a value"), 0
	}
	switch c := s.data[i]; c {
	case '"':
		return s.str(i)
	case '{':
		return s.object(i, depth), 0
	case '[':
		return s.array(i, depth), 0
	case 't':
		return s.literal(i, "true"), 0
	case 'f':
		return s.literal(i, "false"), 0
	case 'n':
		return s.literal(i, "null"), 0
	default:
		return s.number(i), 0
	}
}

func (s *scanner) object(i, depth int) int {
	i, done := s.open(i, depth, '}')
	for !done {
		_, _, at := s.name(i)
		if at < 0 {
			return -1
		}
		end, _ := s.value(at, depth+1)
		i, done = s.next(end, '}')
	}
	return i
}

func (s *scanner) array(i, depth int) int {
	i, done := s.open(i, depth, ']')
	for !done {
		end, _ := s.value(i, depth+1)
		i, done = s.next(end, ']')
	}
	return i
}

// open enters the container at i. It returns the place of the first item, or
// where done is true the place after an empty container or -1.
func (s *scanner) open(i, depth int, closer byte) (at int, done bool) {
	if depth >= maxDepth {
		return s.fail(i, "no more than 10000 levels"), true
	}
	i = s.space(i + 1)
	if i < len(s.data) && s.data[i] == closer {
		return i + 1, true
	}
	return i, false
}

// next goes on after an item that ends at end, -1 for a bad one. It returns the
// place of the next item, or where done is true the place after the container
// or -1.
func (s *scanner) next(end int, closer byte) (at int, done bool) {
	if end < 0 {
		return -1, true
	}
	i := s.space(end)
	if i < len(s.data) {
		switch s.data[i] {
		case ',':
			return s.space(i + 1), false
		case closer:
			return i + 1, true
		}
	}
	if closer == '}' {
		return s.fail(i, "',' or '}'"), true
	}
	return s.fail(i, "',' or ']'"), true
}

// name scans a member's name and colon. It returns the place after the name's
// closing quote and that of the member's value.
func (s *scanner) name(i int) (end int, f flags, at int) {
	if i >= len(s.data) || s.data[i] != '"' {
		return -1, 0, s.fail(i, "a name in double quotes")
	}
	end, f = s.str(i)
	if end < 0 {
		return -1, 0, -1
	}
	i = s.space(end)
	if i >= len(s.data) || s.data[i] != ':' {
		return -1, 0, s.fail(i, "':'")
	}
	return end, f, s.space(i + 1)
}

func (s *scanner) literal(i int, word string) int {
	end := i + len(word)
	if end > len(s.data) || string(s.data[i:end]) != word {
		return s.fail(i, "a value")
	}
	return end
}

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
	for i < len(s.data) && s.data[i]-'0' <= 9 {
		i++
	}
	return i
}
