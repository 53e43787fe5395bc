package config

import (
	"fmt"
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
		return "a boolean"
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
