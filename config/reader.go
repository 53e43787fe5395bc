package config

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reader fills a Config from a YAML tree and from environment variables, and
// collects what is wrong with them.
type reader struct {
	file     string
	folder   string // where relative paths start, absolute
	env      func(string) (string, bool)
	variable string           // the variable that is being read; empty: the file is
	places   map[string]place // of the settings that are set, by path
	// sourcePlaces are those of the topics of config.Sources.
	sourcePlaces []place
	problems     Problems
	config       *Config
}

// place is where a value stands: in a file, or with line 0 in the environment
// variable called file.
type place struct {
	file         string
	line, column int
}

func (r *reader) here(n *yaml.Node) place {
	if r.variable != "" {
		return place{file: r.variable}
	}
	return place{file: r.file, line: n.Line, column: n.Column}
}

func (r *reader) problem(at place, format string, args ...any) {
	r.problems = append(r.problems, Problem{at.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

func (r *reader) refuse(n *yaml.Node, format string, args ...any) {
	r.problem(r.here(n), format, args...)
}

// items returns the elements of a list that is not empty.
func (r *reader) items(n *yaml.Node, name string) ([]*yaml.Node, bool) {
	if n.Kind != yaml.SequenceNode {
		r.refuse(n, "%s must be a list, not %s", name, kind(n))
		return nil, false
	}
	if len(n.Content) == 0 {
		r.refuse(n, "%s is an empty list; name at least one, or leave the key out", name)
		return nil, false
	}
	return n.Content, true
}

// mapping reads a mapping of known keys by the function of each.
func (r *reader) mapping(n *yaml.Node, name string, known map[string]func(*yaml.Node)) bool {
	if n.Kind != yaml.MappingNode {
		r.refuse(n, "%s must be a mapping, not %s", name, kind(n))
		return false
	}
	for key, value := range pairs(n) {
		if read := known[key.Value]; read != nil {
			read(value)
			continue
		}
		allowed := slices.Sorted(maps.Keys(known))
		suggestion := ""
		if near := nearest(key.Value, allowed); near != "" {
			suggestion = fmt.Sprintf("did you mean %q? ", near)
		}
		r.refuse(key, "unknown key %q in %s; %sallowed: %s", key.Value, name, suggestion, strings.Join(allowed, ", "))
	}
	return true
}

// words reads a mapping of free keys to texts as they are written.
func (r *reader) words(n *yaml.Node, name string) map[string]string {
	if n.Kind != yaml.MappingNode {
		r.refuse(n, "%s must be a mapping, not %s", name, kind(n))
		return nil
	}
	words := map[string]string{}
	for key, value := range pairs(n) {
		if word, ok := r.word(value, key.Value); ok {
			words[key.Value] = word
		}
	}
	return words
}

// pairs yields the keys and values of a mapping.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(*yaml.Node, *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}
