package trait

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"traitstream/impression"
)

const placeholders = "{split}, {environmentName} and {environmentId}"

// Name is the template of a trait's name: text with placeholders, such as
// "{split}" or "{split}_{environmentName}".
type Name struct {
	text  string
	parts []part
}

// part is a placeholder, or text where fact is noFact.
type part struct {
	fact fact
	text string
}

// ParseName reads a template. It must not be empty, and a brace stands only
// around one of {split}, {environmentName} and {environmentId}.
func ParseName(text string) (Name, error) {
	if text == "" {
		return Name{}, errors.New("a trait's name must not be empty; it may use " + placeholders)
	}
	if !utf8.ValidString(text) {
		return Name{}, fmt.Errorf("the name %q is not valid UTF-8", text)
	}
	n := Name{text: text}
	for rest := text; rest != ""; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			n.parts = append(n.parts, part{text: rest})
			break
		}
		if i > 0 {
			n.parts = append(n.parts, part{text: rest[:i]})
		}
		end := strings.IndexAny(rest[i+1:], "{}")
		if rest[i] == '}' || end < 0 || rest[i+1+end] == '{' {
			return Name{}, fmt.Errorf("unbalanced brace in the name %q; allowed placeholders are %s", text, placeholders)
		}
		p, err := parsePlaceholder(rest[i+1 : i+1+end])
		if err != nil {
			return Name{}, err
		}
		n.parts = append(n.parts, p)
		rest = rest[i+end+2:]
	}
	return n, nil
}

func parsePlaceholder(word string) (part, error) {
	for _, f := range []fact{split, environmentName, environmentID} {
		if factNames[f] == word {
			return part{fact: f}, nil
		}
	}
	names := []string{factNames[split], factNames[environmentName], factNames[environmentID]}
	return part{}, fmt.Errorf("unknown placeholder {%s}%s; allowed are %s", word, suggest(word, names), placeholders)
}

// String returns the template as it was written.
func (n Name) String() string { return n.text }

// appendTo appends the name that the template yields for an impression, and
// reports false where the impression lacks a fact of it.
func (n Name) appendTo(dst []byte, imp *impression.Impression) ([]byte, bool) {
	for _, p := range n.parts {
		if p.fact == noFact {
			dst = append(dst, p.text...)
			continue
		}
		text := p.fact.text(imp)
		if len(text) == 0 {
			return dst, false
		}
		dst = append(dst, text...)
	}
	return dst, true
}
