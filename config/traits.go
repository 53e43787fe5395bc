package config

import (
	"errors"
	"time"

	"go.yaml.in/yaml/v3"

	"traitstream/trait"
)

// definition is a definition under way, with the places that problems of the
// whole set refer to.
type definition struct {
	trait.Definition
	at     place
	places map[string]place
	bad    bool // problems with it were reported
}

func newDefinition(at place) *definition {
	return &definition{
		Definition: trait.Definition{Event: "get_treatment", Property: "treatment"},
		at:         at,
		places:     map[string]place{},
	}
}

// defaultTraits is one trait per flag.
func (r *reader) defaultTraits() {
	d := newDefinition(place{file: r.file, line: 1, column: 1})
	d.Name, _ = trait.ParseName("{split}")
	d.Description = "The treatment that a user last saw of each flag"
	r.compile([]*definition{d})
}

// traits reads the definitions.
func (r *reader) traits(n *yaml.Node, path string) {
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		r.refuse(n, "traits is an empty list; leave it out for one trait per flag")
		return
	}
	items, ok := r.items(n, path)
	if !ok {
		return
	}
	var definitions []*definition
	for _, item := range items {
		definitions = append(definitions, r.definition(item))
	}
	r.compile(definitions)
}

// definition reads one entry of traits.
func (r *reader) definition(n *yaml.Node) *definition {
	d := newDefinition(r.here(n))
	problems := len(r.problems)
	field := func(name string, read func(*yaml.Node)) func(*yaml.Node) {
		return func(n *yaml.Node) {
			d.places[name] = r.here(n)
			read(n)
		}
	}
	text := func(name string, to *string, check func(string) error) func(*yaml.Node) {
		return field(name, func(n *yaml.Node) { r.textInto(to, check).read(n, name) })
	}
	ok := r.mapping(n, "a trait", map[string]func(*yaml.Node){
		"name":        field("name", func(n *yaml.Node) { r.traitName(n, d) }),
		"description": text("description", &d.Description, anyText),
		"type":        field("type", func(n *yaml.Node) { r.choice(n, "type", []string{"last"}) }),
		"event":       text("event", &d.Event, notEmpty),
		"property":    text("property", &d.Property, notEmpty),
		"where":       field("where", func(n *yaml.Node) { d.Where = r.conditions(n, "where") }),
		"any":         field("any", func(n *yaml.Node) { d.Any = r.anyOf(n) }),
		"not_served":  field("not_served", func(n *yaml.Node) { r.notServed(n, d) }),
		"expire_after": field("expire_after", func(n *yaml.Node) {
			r.durationInto(&d.ExpireAfter, time.Second, longest).read(n, "expire_after")
		}),
	})
	if _, named := d.places["name"]; ok && !named {
		r.refuse(n, "a trait needs a name, such as \"{split}\"")
	}
	d.bad = len(r.problems) > problems
	return d
}

func (r *reader) traitName(n *yaml.Node, d *definition) {
	text, ok := r.text(n, "name")
	if !ok {
		return
	}
	name, err := trait.ParseName(text)
	if err != nil {
		r.refuse(n, "name: %v", err)
	}
	d.Name = name
}

func (r *reader) notServed(n *yaml.Node, d *definition) {
	text, ok := r.word(n, "not_served")
	if !ok {
		return
	}
	policy, err := trait.ParsePolicy(text)
	if err != nil {
		r.refuse(n, "not_served: %v", err)
	}
	d.NotServed = policy
}

// compile joins the definitions to a set, which is what tells whether they fit
// one another. A bad one holds its place there by a definition without a name,
// which is in nobody's way.
func (r *reader) compile(definitions []*definition) {
	r.sameNames(definitions)
	all := make([]trait.Definition, len(definitions))
	for i, d := range definitions {
		if !d.bad {
			_, err := trait.NewSet([]trait.Definition{d.Definition})
			r.disagreements([]*definition{d}, err)
		}
		if !d.bad {
			all[i] = d.Definition
		}
	}
	set, err := trait.NewSet(all)
	r.disagreements(definitions, err)
	r.config.Traits, r.config.Set = all, set
}

// disagreements reports what a set has against definitions that were good so
// far.
func (r *reader) disagreements(definitions []*definition, err error) {
	for _, err := range definitionErrors(err) {
		d := definitions[err.Index]
		if d.bad {
			continue
		}
		d.bad = true
		at, ok := d.places[err.Field]
		if !ok {
			at = d.at
		}
		r.problem(at, "%s: %v", err.Field, err.Err)
	}
}

// sameNames reports names that stand twice, those of bad definitions too.
func (r *reader) sameNames(definitions []*definition) {
	lines := map[string]int{}
	for _, d := range definitions {
		text := d.Name.String()
		if line, twice := lines[text]; twice && text != "" {
			r.problem(d.places["name"], "name: %q is the name of the trait on line %d already", text, line)
			d.bad = true
			continue
		}
		lines[text] = d.at.line
	}
}

// definitionErrors takes apart the error of a set.
func definitionErrors(err error) []*trait.DefinitionError {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return nil
	}
	var all []*trait.DefinitionError
	for _, err := range joined.Unwrap() {
		var one *trait.DefinitionError
		if errors.As(err, &one) {
			all = append(all, one)
		}
	}
	return all
}
