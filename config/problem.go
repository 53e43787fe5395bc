package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration, and what is allowed.
type Problem struct {
	// File is the file as it was named, or the environment variable where Line
	// is 0.
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1; 0: no place in a file
	Column  int    `json:"column"` // from 1, in characters; 0: no place in a file
	Message string `json:"message"`
}

// String returns "file:line:column: message", or "variable: message" for what
// came from the environment.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems is everything that is wrong with a configuration: first what came
// from the environment, then what stands in the file, in its order.
type Problems []Problem

// Error returns the problems, a line each.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		if a.Line == 0 && b.Line == 0 {
			return cmp.Compare(a.File, b.File)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
