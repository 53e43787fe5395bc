package config

import (
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

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
		r.refuse(n, "%s has no value; write one, or leave the key out", name)
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
		r.refuse(n, "%s must be from %s to %s, not %q", name, FormatDuration(low), FormatDuration(high), text)
		return 0, false
	}
	return value, true
}

// size returns a size in bytes, from low to high.
func (r *reader) size(n *yaml.Node, name string, low, high int64) (int64, bool) {
	text, ok := r.word(n, name)
	if !ok {
		return 0, false
	}
	value, err := parseSize(text)
	if err != nil {
		r.refuse(n, "%s: %v", name, err)
		return 0, false
	}
	if value < low || value > high {
		r.refuse(n, "%s must be from %s to %s, not %q", name, formatSize(low), formatSize(high), text)
		return 0, false
	}
	return value, true
}

// choice returns one of the allowed words.
func (r *reader) choice(n *yaml.Node, name string, allowed []string) (string, bool) {
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
