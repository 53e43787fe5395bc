package config

import (
	"go.yaml.in/yaml/v3"

	"traitstream/impression"
)

// sources reads the list of topics.
func (r *reader) sources(n *yaml.Node, path string) {
	items, ok := r.items(n, path)
	if !ok {
		return
	}
	r.config.Sources = nil
	first := map[string]place{}
	for _, item := range items {
		source, at := r.source(item)
		if source.Topic == "" {
			continue
		}
		if before, twice := first[source.Topic]; twice {
			r.problem(at, "topic %q is named twice; it is on line %d already", source.Topic, before.line)
			continue
		}
		first[source.Topic] = at
		r.config.Sources = append(r.config.Sources, source)
		r.sourcePlaces = append(r.sourcePlaces, at)
	}
}

// sourcePlace returns where the topic of a source is named; the default source
// can only be in the way of the topic of the output.
func (r *reader) sourcePlace(i int) place {
	if i < len(r.sourcePlaces) {
		return r.sourcePlaces[i]
	}
	return r.place("output.topic")
}

// source reads one entry, and returns the place of its topic. The topic is
// empty where it is missing or refused.
func (r *reader) source(n *yaml.Node) (source Source, at place) {
	at = r.here(n)
	source.Format = impression.Auto
	source.Identity = impression.User
	given := false
	ok := r.mapping(n, "a source", map[string]func(*yaml.Node){
		"topic": func(n *yaml.Node) {
			given, at = true, r.here(n)
			r.textInto(&source.Topic, topicName).read(n, "topic")
		},
		"format":       func(n *yaml.Node) { r.sourceFormat(n, &source) },
		"from":         func(n *yaml.Node) { r.from(n, &source.From) },
		"environment":  func(n *yaml.Node) { r.textInto(&source.Environment, notEmpty).read(n, "environment") },
		"environments": func(n *yaml.Node) { source.Environments = r.words(n, "environments") },
		"identity":     func(n *yaml.Node) { r.identity(n, &source) },
	})
	if ok && !given {
		r.problem(at, "a source needs a topic")
	}
	return source, at
}

func (r *reader) sourceFormat(n *yaml.Node, source *Source) {
	var names []string
	for _, format := range impression.Formats() {
		names = append(names, string(format))
	}
	format, _ := r.choice(n, "format", append(names, string(impression.Avro)))
	source.Format = impression.Format(format)
}

// from reads where a partition without a committed offset starts.
func (r *reader) from(n *yaml.Node, from *From) {
	text, ok := r.word(n, "from")
	switch {
	case !ok || text == "earliest":
	case text == "latest":
		from.Latest = true
	default:
		at, err := ParseTime(text)
		if err != nil {
			r.refuse(n, "from must be earliest, latest or a time: %v", err)
		}
		from.At = at
	}
}

// identity reads the kind of key of payloads that do not tell: one for all, or
// one by traffic type.
func (r *reader) identity(n *yaml.Node, source *Source) {
	if n.Kind != yaml.MappingNode {
		if text, ok := r.choice(n, "identity", []string{"user", "anonymous"}); ok {
			source.Identity = identities[text]
		}
		return
	}
	source.Identity = 0
	keys := map[string]bool{}
	r.mapping(n, "identity", map[string]func(*yaml.Node){
		"by": func(n *yaml.Node) {
			keys["by"] = true
			r.choice(n, "by", []string{"trafficTypeId"})
		},
		"map": func(n *yaml.Node) {
			keys["map"] = true
			source.ByTrafficType = r.identityMap(n)
		},
		"else": func(n *yaml.Node) {
			if text, ok := r.choice(n, "else", anyIdentity); ok {
				source.Identity = identities[text]
			}
		},
	})
	if !keys["by"] || !keys["map"] {
		r.refuse(n, "identity needs both keys: by: trafficTypeId, and map: {ID: user, anonymous or skip}")
	}
}

// identities are the words of identity.map; skip is none.
var identities = map[string]impression.Identity{
	"user":      impression.User,
	"anonymous": impression.Anonymous,
	"skip":      0,
}

var anyIdentity = []string{"user", "anonymous", "skip"}

func (r *reader) identityMap(n *yaml.Node) map[string]impression.Identity {
	byID := map[string]impression.Identity{}
	switch {
	case n.Kind != yaml.MappingNode:
		r.refuse(n, "map must be a mapping, not %s", kind(n))
		return nil
	case len(n.Content) == 0:
		r.refuse(n, "map is empty; name at least one traffic type")
	}
	for key, value := range pairs(n) {
		if text, ok := r.choice(value, "traffic type "+key.Value, anyIdentity); ok {
			byID[key.Value] = identities[text]
		}
	}
	return byID
}
