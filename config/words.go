package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// kind names what a node is, for people.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	}
	return "a text"
}

// shown returns a scalar for a problem's message, and tells a text that looks
// like something else by its quotes.
func shown(n *yaml.Node, text string) string {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		return fmt.Sprintf("the text %q", text)
	}
	return fmt.Sprintf("%q", text)
}

// alternatives returns "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	if last <= 0 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// nearest returns the name that text is most likely meant to be, or none.
func nearest(text string, names []string) string {
	best, bestDistance := "", 1+len(text)/3
	for _, name := range names {
		if d := distance(text, name); d <= bestDistance && (best == "" || d < bestDistance) {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance is the number of characters to insert, delete or replace between
// two texts. Keys are compared up to a length that no setting has.
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	if len(from) > 64 {
		return len(from)
	}
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, char := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j := range to {
			change := diagonal
			if char != to[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}

// expand replaces each ${NAME} by the environment variable and $$ by $.
func expand(text string, env func(string) (string, bool)) (string, error) {
	if !strings.Contains(text, "$") {
		return text, nil
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		out.WriteString(before)
		switch {
		case !found:
			return out.String(), nil
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			text = rest[1:]
		case strings.HasPrefix(rest, "{"):
			name, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return "", fmt.Errorf("${ without its }; write $${ for these two characters")
			}
			value, err := lookup(name, env)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			text = after
		default:
			out.WriteByte('$')
			text = rest
		}
	}
}

func lookup(name string, env func(string) (string, bool)) (string, error) {
	letter := func(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
	odd := func(c byte) bool { return !letter(c) && !('0' <= c && c <= '9') }
	if name == "" || !letter(name[0]) || slices.ContainsFunc([]byte(name), odd) {
		return "", fmt.Errorf("${NAME} takes the name of an environment variable: letters, digits and _, and nothing else")
	}
	value, ok := env(name)
	if !ok {
		return "", fmt.Errorf("the environment variable %s is not set", name)
	}
	return value, nil
}
