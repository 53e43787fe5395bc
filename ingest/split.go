package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxValue is the longest line or value that is held in memory, in bytes.
	maxValue = 64 << 20
	// maxPart is the size from which an array goes out in parts, in bytes.
	maxPart = 32 << 20
)

// A value is what the decoder takes at a time: a line, a JSON value of a
// sequence or a row.
type value struct {
	json []byte // valid until the next one is read
	line int64  // on which it begins, from 1; of Parquet the row
	// continues tells that its elements are the same array's as those of the
	// value before.
	continues bool
	// fault is why this is no value, and refused without a look at it.
	fault string
	// cut tells that the file held more of it.
	cut bool
}

// A splitter yields the values of a file, then io.EOF.
type splitter interface {
	next() (value, error)
}

// grammar is JSON's, without what the decoder has its own rules for.
var grammar = []jsontext.Options{jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)}

// split tells JSON lines from a sequence of values by the first line that is
// not blank: lines have a whole value there, or something that begins none
// over several lines.
func split(in *bufio.Reader, byLine bool) splitter {
	if byLine {
		return &lines{in: in}
	}
	head, first := readHead(in)
	rest := io.MultiReader(bytes.NewReader(head), in)
	if len(first) > 0 && (first[0] == '[' || first[0] == '{') && !wholeValue(first) {
		return newSequence(rest)
	}
	return &lines{in: bufio.NewReaderSize(rest, blockSize)}
}

// readHead reads up to the end of the first line that is not blank and returns
// all that it read and that line without the blanks around it. A line longer
// than maxValue is cut. Read errors come again to who reads on.
func readHead(in *bufio.Reader) (head, first []byte) {
	for len(head) < maxValue {
		chunk, err := in.ReadSlice('\n')
		head = append(head, chunk...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if first = trimBlanks(head); len(first) > 0 || err != nil {
			return head, first
		}
	}
	return head, trimBlanks(head)
}

func wholeValue(text []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), grammar...)
	if _, err := dec.ReadValue(); err != nil {
		return false
	}
	return dec.InputOffset() == int64(len(text))
}

// trimBlanks cuts off what JSON counts as blank.
func trimBlanks(text []byte) []byte {
	return bytes.Trim(text, " \t\r\n")
}
