package trait

import (
	"slices"
	"strings"
)

// maxNames bounds the names of a rule that are listed.
const maxNames = 256

// coincide tells whether two rules yield the same trait name for certain: a
// name without placeholders, or with such as conditions limit to a few values,
// that both have. Templates that only may coincide, such as "{split}" and
// "plan", do so if a flag is called plan; then the first that matches an
// impression feeds the trait.
func coincide(a, b *rule) bool {
	names, ok := listNames(a)
	if !ok {
		return false
	}
	others, ok := listNames(b)
	return ok && slices.ContainsFunc(names, func(n string) bool { return slices.Contains(others, n) })
}

// listNames returns the names that a rule can yield, if they are few.
func listNames(r *rule) ([]string, bool) {
	names := []string{""}
	for _, part := range r.Name.parts {
		texts := []string{part.text}
		if part.fact != noFact {
			var limited bool
			if texts, limited = r.values(part.fact); !limited || len(names)*len(texts) > maxNames {
				return nil, false
			}
		}
		var longer []string
		for _, name := range names {
			for _, text := range texts {
				longer = append(longer, name+text)
			}
		}
		names = longer
	}
	return names, true
}

// canYield tells whether some impression may get a name from the rule.
func (r *rule) canYield(name string) bool {
	ends := map[int]bool{0: true} // of what the parts so far can stand for
	for _, part := range r.Name.parts {
		texts, limited := []string{part.text}, true
		if part.fact != noFact {
			texts, limited = r.values(part.fact)
		}
		next := map[int]bool{}
		for at := range ends {
			for _, text := range texts {
				if text != "" && strings.HasPrefix(name[at:], text) {
					next[at+len(text)] = true
				}
			}
			for end := at + 1; !limited && end <= len(name); end++ {
				next[end] = true
			}
		}
		ends = next
	}
	return ends[len(name)]
}
