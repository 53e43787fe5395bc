package config

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

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

// scalar returns the text of a scalar, references to the environment replaced,
// and its YAML type. The type is empty where the text comes from the
// environment, since there it has none.
func (r *reader) scalar(n *yaml.Node, name string) (text, tag string, ok bool) {
	if n.Kind != yaml.ScalarNode {
		r.refuse(n, "%s must be a single value, not %s", name, kind(n))
		return "", "", false
	}
	if r.variable != "" {
		return n.Value, "", true
	}
	switch tag = n.ShortTag(); tag {
	case "!!null":
		r.refuse(n, "%s has no value; leave it out for the default", name)
		return "", "", false
	case "!!str":
		text, err := expand(n.Value, r.env)
		if err != nil {
			r.refuse(n, "%s: %v", name, err)
			return "", "", false
		}
		if text != n.Value {
			tag = ""
		}
		return text, tag, true
	}
	return n.Value, tag, true
}

// text returns a scalar that YAML takes for a text. The value is not part of
// the problem, as it may be a secret.
func (r *reader) text(n *yaml.Node, name string) (string, bool) {
	text, tag, ok := r.scalar(n, name)
	if !ok {
		return "", false
	}
	if tag != "" && tag != "!!str" && tag != "!!timestamp" {
		r.refuse(n, "%s must be a text, not %s; put it in quotes", name, kind(n))
		return "", false
	}
	return text, true
}

// word returns a scalar as it is written, whatever its YAML type.
func (r *reader) word(n *yaml.Node, name string) (string, bool) {
	text, _, ok := r.scalar(n, name)
	return text, ok
}

// number returns a whole number from low to high.
func (r *reader) number(n *yaml.Node, name string, low, high int64) (int64, bool) {
	text, tag, ok := r.scalar(n, name)
	if !ok {
		return 0, false
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || tag != "" && tag != "!!int" || value < low || value > high {
		r.refuse(n, "%s must be a whole number from %d to %d, not %s", name, low, high, shown(n, text))
		return 0, false
	}
	return value, true
}

func (r *reader) boolean(n *yaml.Node, name string) (value, ok bool) {
	text, tag, ok := r.scalar(n, name)
	if !ok {
		return false, false
	}
	if tag != "" && tag != "!!bool" || text != "true" && text != "false" {
		r.refuse(n, "%s must be true or false, not %s", name, shown(n, text))
		return false, false
	}
	return text == "true", true
}

// duration returns a length of time from low to high.
func (r *reader) duration(n *yaml.Node, name string, low, high time.Duration) (time.Duration, bool) {
	text, ok := r.word(n, name)
	if !ok {
		return 0, false
	}
	value, err := parseDuration(text)
	if err != nil {
		r.refuse(n, "%s: %v", name, err)
		return 0, false
	}
	if value < low || value > high {
		r.refuse(n, "%s must be from %s to %s, not %q", name, formatDuration(low), formatDuration(high), text)
		return 0, false
	}
	return value, true
}

// choice returns one of the allowed words.
func (r *reader) choice(n *yaml.Node, name string, allowed ...string) (string, bool) {
	text, ok := r.word(n, name)
	if !ok {
		return "", false
	}
	if !slices.Contains(allowed, text) {
		r.refuse(n, "%s must be %s, not %q", name, alternatives(allowed), text)
		return "", false
	}
	return text, true
}

// items returns the elements of a list that is not empty.
func (r *reader) items(n *yaml.Node, name string) ([]*yaml.Node, bool) {
	if n.Kind != yaml.SequenceNode {
		r.refuse(n, "%s must be a list, not %s", name, kind(n))
		return nil, false
	}
	if len(n.Content) == 0 {
		r.refuse(n, "%s is an empty list; leave it out for the default", name)
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
