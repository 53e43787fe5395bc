package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"traitstream/impression"
	"traitstream/trait"
)

// rules are the part of a configuration that decides which impression says what
// of which trait, and for how long.
type rules struct {
	Sources   []ruleSource   `json:"sources"`
	Traits    []ruleTrait    `json:"traits"`
	Processor ruleAdmittance `json:"processor"`
}

type ruleAdmittance struct {
	MaxClockAhead string `json:"max_clock_ahead"`
}

type ruleSource struct {
	Topic        string            `json:"topic"`
	Format       string            `json:"format"`
	Environment  string            `json:"environment,omitempty"`
	Environments map[string]string `json:"environments,omitempty"`
	Identity     any               `json:"identity"` // a word or a ruleIdentity
}

type ruleIdentity struct {
	By   string            `json:"by"`
	Map  map[string]string `json:"map"`
	Else string            `json:"else"`
}

type ruleTrait struct {
	Name        string           `json:"name"`
	Description string           `json:"description,omitempty"`
	Event       string           `json:"event"`
	Property    string           `json:"property"`
	Where       ruleConditions   `json:"where,omitempty"`
	Any         []ruleConditions `json:"any,omitempty"`
	NotServed   string           `json:"not_served"`
	// ExpireAfter is left out where a trait stays: the text then has the hash that it
	// had before there was one.
	ExpireAfter string `json:"expire_after,omitempty"`
}

// ruleConditions are operands, by property and operator.
type ruleConditions map[string]map[string]any

// Rules returns the part of a configuration that decides which impression says
// what of which trait, and for how long, as a configuration of its own in JSON, which is YAML and
// which Parse reads; and its hash, 16 hexadecimal digits.
func (c *Config) Rules() (text []byte, hash string, err error) {
	r := rules{Processor: ruleAdmittance{FormatDuration(c.Processor.MaxClockAhead)}}
	for _, s := range c.Sources {
		r.Sources = append(r.Sources, ruleOfSource(&s.Source))
	}
	slices.SortFunc(r.Sources, func(a, b ruleSource) int { return cmp.Compare(a.Topic, b.Topic) })
	for i := range c.Traits {
		r.Traits = append(r.Traits, ruleOfTrait(&c.Traits[i]))
	}
	if text, err = json.Marshal(r); err != nil {
		return nil, "", fmt.Errorf("writing down sources and traits: %w", err)
	}
	sum := sha256.Sum256(text)
	return text, hex.EncodeToString(sum[:8]), nil
}

func ruleOfSource(s *impression.Source) ruleSource {
	r := ruleSource{
		Topic: s.Topic, Format: string(s.Format), Environment: literal(s.Environment),
		Identity: identityWord(s.Identity),
	}
	if len(s.Environments) > 0 {
		r.Environments = map[string]string{}
		for id, name := range s.Environments {
			r.Environments[id] = literal(name)
		}
	}
	if s.ByTrafficType != nil {
		words := map[string]string{}
		for id, identity := range s.ByTrafficType {
			words[id] = identityWord(identity)
		}
		r.Identity = ruleIdentity{By: "trafficTypeId", Map: words, Else: identityWord(s.Identity)}
	}
	return r
}

func identityWord(i impression.Identity) string {
	for word, identity := range identities {
		if identity == i {
			return word
		}
	}
	return ""
}

func ruleOfTrait(d *trait.Definition) ruleTrait {
	r := ruleTrait{
		Name: literal(d.Name.String()), Event: literal(d.Event), Property: literal(d.Property),
		Where: rulesOf(d.Where), NotServed: d.NotServed.String(),
	}
	if d.ExpireAfter > 0 {
		r.ExpireAfter = FormatDuration(d.ExpireAfter)
	}
	for _, branch := range d.Any {
		r.Any = append(r.Any, rulesOf(branch))
	}
	return r
}

func rulesOf(conditions []trait.Condition) ruleConditions {
	if len(conditions) == 0 {
		return nil
	}
	all := ruleConditions{}
	for i := range conditions {
		property, operator, operands := conditions[i].Parts()
		if all[property] == nil {
			all[property] = map[string]any{}
		}
		var operand any = literal(operands[0])
		if len(operands) > 1 {
			list := make([]string, len(operands))
			for n, text := range operands {
				list[n] = literal(text)
			}
			operand = list
		}
		all[property][operator] = operand
	}
	return all
}

// Definitions returns the definitions as a configuration has them under traits, in
// JSON, and their hash, 16 hexadecimal digits.
func Definitions(traits []trait.Definition) (text []byte, hash string, err error) {
	all := make([]ruleTrait, len(traits))
	for i := range traits {
		all[i] = ruleOfTrait(&traits[i])
		all[i].Description = literal(traits[i].Description)
	}
	if text, err = json.Marshal(all); err != nil {
		return nil, "", fmt.Errorf("writing down definitions: %w", err)
	}
	sum := sha256.Sum256(text)
	return text, hex.EncodeToString(sum[:8]), nil
}

// ParseDefinitions reads what Definitions has written.
func ParseDefinitions(text []byte) ([]trait.Definition, *trait.Set, error) {
	file := append(append([]byte(`{"traits":`), text...), '}')
	c, err := Parse("definitions", file, func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, nil, err
	}
	return c.Traits, c.Set, nil
}

// literal writes a text so that reading finds no reference to the environment.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }
