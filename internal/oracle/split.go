package oracle

import (
	"bytes"
	"encoding/json"
)

// Value is a piece of a file.
type Value struct {
	Line int // of its first byte, from 1
	Data []byte
}

// SplitFile cuts a file into the values that become records: each line that is
// not blank, or each JSON value over however many lines. What follows a value
// that is broken can't be told apart, so it is one last piece.
func SplitFile(data []byte, forceLines bool) []Value {
	if forceLines || isLines(data) {
		return lines(data)
	}
	var all []Value
	line := 1
	for {
		rest := bytes.TrimLeft(data, blanks)
		line += bytes.Count(data[:len(data)-len(rest)], []byte("\n"))
		if len(rest) == 0 {
			return all
		}
		var raw json.RawMessage
		if json.NewDecoder(bytes.NewReader(rest)).Decode(&raw) != nil {
			return append(all, Value{line, rest})
		}
		all = append(all, Value{line, raw})
		line += bytes.Count(raw, []byte("\n"))
		data = rest[len(raw):]
	}
}

func lines(data []byte) []Value {
	var all []Value
	for i, line := range bytes.Split(data, []byte("\n")) {
		if !blank(line) {
			all = append(all, Value{i + 1, line})
		}
	}
	return all
}

func blank(line []byte) bool {
	return len(bytes.TrimLeft(line, blanks)) == 0
}

// isLines looks at the first line that is not blank.
func isLines(data []byte) bool {
	for _, line := range bytes.Split(data, []byte("\n")) {
		if !blank(line) {
			first := kind(line)
			return json.Valid(line) || first != '[' && first != '{'
		}
	}
	return true
}
