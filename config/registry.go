package config

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// SchemaRegistry tells how to reach the registry, which Avro alone uses. There is
// a User with a Password, or a Token, or neither. However it is printed or
// logged, its secrets are not.
type SchemaRegistry struct {
	Named    bool     // the configuration names it
	URLs     []string // at least one; the next is asked where one does not answer
	User     string
	Password string `json:"-"`
	Token    string `json:"-"`
	TLS      *TLS   // nil: https is checked by the system's CAs
	// Timeout is how long a start waits for an answer, 1 s to 10 min.
	Timeout time.Duration
}

// String returns the URLs and the user.
func (s SchemaRegistry) String() string {
	return fmt.Sprintf("{%s user:%q secret:***}", strings.Join(s.URLs, ","), s.User)
}

// Format prints String, whatever the verb.
func (s SchemaRegistry) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, s.String())
}

// LogValue returns what String does.
func (s SchemaRegistry) LogValue() slog.Value {
	return slog.StringValue(s.String())
}

// registryURLs reads a list, or a text with commas as other clients have it.
func (r *reader) registryURLs(n *yaml.Node, path string) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		var ok bool
		if items, ok = r.items(n, path); !ok {
			return
		}
	}
	r.config.Registry.URLs = nil
	for _, item := range items {
		texts, ok := r.text(item, path)
		if !ok {
			continue
		}
		for text := range strings.SplitSeq(texts, ",") {
			text = strings.TrimSpace(text)
			if err := webAddress(text); err != nil {
				r.refuse(item, "%s: %v", path, err)
				continue
			}
			r.config.Registry.URLs = append(r.config.Registry.URLs, text)
		}
	}
}

func (r *reader) checkRegistry() {
	c := &r.config.Registry
	at := r.place("schema_registry")
	given := func(key string) bool { return r.given("schema_registry." + key) }
	if given("user") != given("password") {
		r.problem(at, "schema_registry needs user and password together, or neither")
	}
	if given("token") && (given("user") || given("password")) {
		r.problem(at, "schema_registry takes a token or user and password, not both")
	}
	if given("tls.cert") != given("tls.key") {
		r.problem(r.place("schema_registry.tls"), "schema_registry.tls needs cert and key together, or neither")
	}
	plain := func(url string) bool { return !strings.HasPrefix(url, "https://") }
	if c.TLS != nil && slices.ContainsFunc(c.URLs, plain) {
		r.problem(r.place("schema_registry.tls"), "schema_registry.tls is for URLs that begin with https://")
	}
}
