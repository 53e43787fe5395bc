package impression

import "fmt"

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
