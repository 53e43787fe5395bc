package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// override reads the environment variables that stand for settings, and returns
// the paths of those that are set.
func (r *reader) override(settings map[string]setting) map[string]bool {
	overridden := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(settings)) {
		setting := settings[path]
		name := variable(path)
		value, ok := r.env(name)
		if !ok || setting.shape == structure {
			continue
		}
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: value}
		if setting.shape == list {
			n = &yaml.Node{Kind: yaml.SequenceNode}
			for item := range strings.SplitSeq(value, ",") {
				n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSpace(item)})
			}
		}
		overridden[path] = true
		r.variable = name
		r.places[path] = r.here(n)
		setting.read(n, path)
		r.variable = ""
	}
	return overridden
}

// variable returns the environment variable that overrides the setting at a
// path such as "kafka.brokers".
func variable(path string) string {
	return "TRAITSTREAM_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
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
				return "", errors.New("${ without its }; write $${ for these two characters")
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
	odd := func(c byte) bool { return !letter(c) && (c < '0' || '9' < c) }
	if name == "" || !letter(name[0]) || slices.ContainsFunc([]byte(name), odd) {
		return "", errors.New("${NAME} takes the name of an environment variable: letters, digits and _, and nothing else")
	}
	value, ok := env(name)
	if !ok {
		return "", fmt.Errorf("the environment variable %s is not set", name)
	}
	return value, nil
}
