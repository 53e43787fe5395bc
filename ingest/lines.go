package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lines splits a file at its line ends. Blank lines are nothing.
type lines struct {
	in   *bufio.Reader
	long []byte // a line that is longer than the reader's buffer
	line int64  // the last one that was read
}

func (l *lines) next() (value, error) {
	for {
		text, cut, err := l.read()
		if err != nil && (!errors.Is(err, io.EOF) || len(text) == 0) {
			return value{}, err
		}
		l.line++
		if len(trimBlanks(text)) == 0 {
			continue
		}
		v := value{json: text, line: l.line, cut: cut}
		if cut {
			v.fault = fmt.Sprintf("a line of over %d bytes", maxValue)
		}
		return v, nil
	}
}

// read returns the next line without its end, cut to maxValue. At the end of
// the file it returns what is left together with io.EOF.
func (l *lines) read() (text []byte, cut bool, err error) {
	chunk, err := l.in.ReadSlice('\n')
	text = chunk
	if errors.Is(err, bufio.ErrBufferFull) {
		l.long = l.long[:0]
		for {
			room := maxValue - len(l.long)
			cut = cut || len(chunk) > room
			l.long = append(l.long, chunk[:min(room, len(chunk))]...)
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
			chunk, err = l.in.ReadSlice('\n')
		}
		text = l.long
	}
	text = bytes.TrimSuffix(text, []byte("\n"))
	return bytes.TrimSuffix(text, []byte("\r")), cut, err
}
