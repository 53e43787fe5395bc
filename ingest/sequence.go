package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// sequence reads JSON values that follow each other, each over as many lines as
// it likes. An array of over maxPart goes out in parts, each an array of its
// own; so a smaller one is whole or refused. What comes after a fault can't be
// told apart, so the rest of the file is refused as one value.
type sequence struct {
	in   io.Reader
	err  error  // what ended reading; io.EOF at the end of the file
	home []byte // the memory that buf lies in
	buf  []byte // what was read and is not done with
	done int    // so much of buf was returned by the last next
	line int64  // on which buf begins
	part bool   // buf goes on, after done, with a comma and the rest of an array

	maxValue, maxPart int // the constants, but in tests

	src bytes.Buffer
	dec *jsontext.Decoder
}

// errFault is wrapped by all that is wrong with the text, as opposed to errors
// of reading it.
var errFault = errors.New("not JSON")

func newSequence(in io.Reader) *sequence {
	s := &sequence{in: in, line: 1, maxValue: maxValue, maxPart: maxPart}
	s.dec = jsontext.NewDecoder(&s.src, grammar...)
	return s
}

func (s *sequence) next() (value, error) {
	s.advance(s.done)
	if s.part {
		s.buf[0] = '['
	}
	end, more, err := s.value()
	if errors.Is(err, errFault) {
		return s.rest(err), nil
	}
	if err != nil {
		return value{}, err
	}
	v := value{json: s.buf[:end], line: s.line, continues: s.part}
	s.done, s.part = end, more
	if more {
		// The comma closes this part now and opens the next one then.
		s.buf[end-1] = ']'
		s.done = end - 1
	}
	return v, nil
}

// value finds the end of the value or part of an array that buf begins with;
// more tells that the array goes on with the comma before that end.
func (s *sequence) value() (end int, more bool, err error) {
	if s.part {
		return s.array()
	}
	start, c, err := s.peek(0)
	if err != nil {
		return 0, false, err
	}
	s.advance(start)
	if c == '[' {
		return s.array()
	}
	end, err = s.scan(0)
	return end, false, err
}

// array finds the end of the array that buf begins with, or of its first part.
func (s *sequence) array() (end int, more bool, err error) {
	at, c, err := s.inside(1)
	if err == nil && c == ']' && !s.part {
		return at + 1, false, nil
	}
	for err == nil {
		if at, err = s.scan(at); err != nil {
			break
		}
		if at, c, err = s.inside(at); err != nil {
			break
		}
		switch {
		case c == ']':
			return at + 1, false, nil
		case c != ',':
			return 0, false, s.fault(at, "neither ',' nor ']' after an element of an array")
		case at >= s.maxPart:
			return at + 1, true, nil
		}
		at, _, err = s.inside(at + 1)
	}
	return 0, false, err
}

// inside is peek where the file must not end.
func (s *sequence) inside(at int) (int, byte, error) {
	at, c, err := s.peek(at)
	if errors.Is(err, io.EOF) {
		err = s.fault(at, "the file ends within a value")
	}
	return at, c, err
}

// peek returns the place of the first byte from at on that is not blank, and
// that byte.
func (s *sequence) peek(at int) (int, byte, error) {
	for {
		for ; at < len(s.buf); at++ {
			if c := s.buf[at]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
				return at, c, nil
			}
		}
		if err := s.fill(1); err != nil {
			return at, 0, err
		}
	}
}

// scan returns the end of the valid JSON value that begins at at.
func (s *sequence) scan(at int) (int, error) {
	for {
		s.src = *bytes.NewBuffer(s.buf[at:])
		s.dec.Reset(&s.src, grammar...)
		v, err := s.dec.ReadValue()
		end := at + int(s.dec.InputOffset())
		// A number may go on where the buffer ends.
		more := errors.Is(err, io.ErrUnexpectedEOF) ||
			err == nil && end == len(s.buf) && v.Kind() == '0' && s.err == nil
		if !more {
			return end, s.syntax(at, err)
		}
		// Scanning again is cheap if there is much that is new.
		switch err := s.fill(len(s.buf) - at - blockSize); {
		case errors.Is(err, io.EOF) && v != nil:
			return end, nil
		case errors.Is(err, io.EOF):
			return 0, s.fault(at, "the file ends within a value")
		case err != nil:
			return 0, err
		}
	}
}

// syntax turns what the scanner says of the value at offset at into a fault.
func (s *sequence) syntax(at int, err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return s.fault(at+int(syntax.ByteOffset), syntax.Err.Error())
	}
	return err
}

func (s *sequence) fault(at int, what string) error {
	line := s.line + int64(bytes.Count(s.buf[:min(at, len(s.buf))], []byte{'\n'}))
	return fmt.Errorf("%w at line %d: %s", errFault, line, what)
}

// rest returns what is left of the file, cut to maxValue, as one refused value.
func (s *sequence) rest(fault error) value {
	for s.fill(1) == nil {
		continue
	}
	v := value{json: s.buf, line: s.line, continues: s.part, fault: fault.Error(), cut: s.err == nil}
	s.done, s.part, s.err = len(s.buf), false, io.EOF
	return v
}

// advance drops the first n bytes of buf.
func (s *sequence) advance(n int) {
	s.line += int64(bytes.Count(s.buf[:n], []byte{'\n'}))
	s.buf = s.buf[n:]
	s.done = 0
}

// fill reads at least one byte and, where the file has them, least bytes.
func (s *sequence) fill(least int) error {
	if s.err != nil {
		return s.err
	}
	if len(s.buf) >= s.maxValue {
		return s.fault(0, fmt.Sprintf("a value of over %d bytes", s.maxValue))
	}
	if len(s.buf) == cap(s.buf) {
		if 2*len(s.buf) >= len(s.home) {
			s.home = make([]byte, max(2*len(s.home), 4*blockSize))
		}
		s.buf = s.home[:copy(s.home, s.buf)]
	}
	room := s.buf[len(s.buf):cap(s.buf)]
	n, err := io.ReadAtLeast(s.in, room, min(max(least, 1), len(room)))
	s.buf = s.buf[:len(s.buf)+n]
	if n > 0 {
		return nil // an error comes again
	}
	s.err = err
	return err
}
