package trait

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"traitstream/impression"
)

// watchedTraits bounds the traits that Environments remembers.
const watchedTraits = 10_000

// Environments finds a trait that is fed by several environments, which is most
// often a mistake: a user's treatment in staging then overwrites that in
// production. A definition with a condition on the environment is taken for
// meant. It serves one goroutine.
type Environments struct {
	first map[string]environment // by trait
	found bool
}

// environment is where a trait was fed from first, by name and by id, each of
// which an impression may lack.
type environment struct{ name, id string }

// NewEnvironments returns one that has seen nothing.
func NewEnvironments() *Environments { return &Environments{first: map[string]environment{}} }

// Saw takes note of an impression and of a match that it gave. The first time
// that two environments meet in one trait it says so, and how to tell them
// apart; else it returns nothing.
func (e *Environments) Saw(m *Match, imp *impression.Impression) (warning string) {
	if e.found || m.noted != nil && m.noted.by == e || m.Definition.separates() {
		return "" // of a match that was seen all is known
	}
	if m.noted != nil {
		m.noted.by = e
	}
	first, known := e.first[string(m.Trait)]
	if !known && len(e.first) == watchedTraits {
		return ""
	}
	property, before, now := "environmentName", &first.name, imp.EnvironmentName
	if now == nil {
		property, before, now = "environmentId", &first.id, imp.EnvironmentID
	}
	switch {
	case now == nil || *before == string(now):
	case *before == "":
		*before = string(now)
		e.first[string(m.Trait)] = first
	default:
		e.found, e.first = true, nil
		return mixed(m, property, *before, string(now))
	}
	return ""
}

// separates tells whether the definition has a condition on the environment.
func (d *Definition) separates() bool {
	for _, c := range d.Where {
		if c.of.fact == environmentName || c.of.fact == environmentID {
			return true
		}
	}
	for _, branch := range d.Any {
		for _, c := range branch {
			if c.of.fact == environmentName || c.of.fact == environmentID {
				return true
			}
		}
	}
	return false
}

func mixed(m *Match, property, one, other string) string {
	keep := one
	if strings.HasPrefix(strings.ToLower(other), "prod") {
		keep = other
	}
	return fmt.Sprintf("one trait, %s of %s, is fed by the environments %s and %s, which overwrite each other; "+
		"if that is not meant, give its definition the condition `where: {%s: %s}` or put {%[5]s} into its name",
		quoted(string(m.Trait)), quoted(m.Definition.Name.String()), quoted(one), quoted(other), property, quoted(keep))
}

// plain is text that needs no quotes, in a sentence and in YAML.
var plain = regexp.MustCompile(`^[\pL\pN_][\pL\pN_./ -]*$`)

func quoted(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}
