package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// What Rules writes reads as the same sources and traits, whatever the
// environment holds, and writes the same again.
func TestRulesReadBack(t *testing.T) {
	for name, text := range map[string]string{
		"default": "",
		"all that a source can say": `
sources:
  - {topic: b, format: split-webhook, environment: "Prod $$ {x}", identity: anonymous, from: latest}
  - topic: a
    format: segment
    environments: {"0c3a": "$${PROD}", "off": "no"}
    identity: {by: trafficTypeId, map: {"1": user, "2": anonymous, "3": skip}, else: skip}
processor: {max_clock_ahead: 1d12h, flush_interval: 0s}
`,
		"all that a trait can say": `
traits:
  - {name: "{split} $$ \"{environmentName}\"", event: "On", property: properties.plan, not_served: store}
  - name: other
    where: {treatment: "on", label: {starts_with: "1", not_contains: "$$x"}, properties.n: {at_least: 10, exists: true}}
    any: [{environmentName: [a, "true"]}, {properties.at: {after: 2026-01-01}}, {label: {contains_one_of: ["~", "null"]}}]
    not_served: clear
    expire_after: 36h
`,
	} {
		t.Run(name, func(t *testing.T) {
			unset := func(string) (string, bool) { return "", false }
			c, err := Parse("a.yaml", []byte(text), unset)
			if err != nil {
				t.Fatal(err)
			}
			written, hash, err := c.Rules()
			if err != nil || len(hash) != 16 {
				t.Fatalf("hash %q, %v", hash, err)
			}
			again, err := Parse("rules", written, unset)
			if err != nil {
				t.Fatalf("%s: %v", written, err)
			}
			if c.Set.Hash() != again.Set.Hash() || c.Set.LeastExpiry() != again.Set.LeastExpiry() || c.Processor.MaxClockAhead != again.Processor.MaxClockAhead {
				t.Errorf("%s reads as other traits", written)
			}
			slices.SortFunc(c.Sources, func(a, b Source) int { return strings.Compare(a.Topic, b.Topic) })
			for i := range c.Sources {
				if !reflect.DeepEqual(c.Sources[i].Source, again.Sources[i].Source) {
					t.Errorf("%+v reads as %+v", c.Sources[i].Source, again.Sources[i].Source)
				}
			}
			if twice, sum, err := again.Rules(); err != nil || string(twice) != string(written) || sum != hash {
				t.Errorf("%s, then %s", written, twice)
			}
		})
	}
}

// The hash is that of what decides about impressions, and of nothing else.
func TestRulesHash(t *testing.T) {
	hash := func(change func(*Config)) string {
		c, err := Parse("", []byte("sources: [{topic: a}, {topic: b}]"), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		change(c)
		_, hash, err := c.Rules()
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	plain := hash(func(*Config) {})
	for name, change := range map[string]func(*Config){
		"the order of sources": func(c *Config) { slices.Reverse(c.Sources) },
		"a start":              func(c *Config) { c.Sources[0].From.Latest = true },
		"an interval":          func(c *Config) { c.Processor.CommitInterval = time.Second },
		"a description":        func(c *Config) { c.Traits[0].Description = "x" },
	} {
		if hash(change) != plain {
			t.Errorf("%s changes the hash", name)
		}
	}
	for name, change := range map[string]func(*Config){
		"a source":       func(c *Config) { c.Sources = c.Sources[:1] },
		"an environment": func(c *Config) { c.Sources[0].Environment = "x" },
		"a policy":       func(c *Config) { c.Traits[0].NotServed++ },
		"the limit":      func(c *Config) { c.Processor.MaxClockAhead += time.Second },
	} {
		if hash(change) == plain {
			t.Errorf("%s does not change the hash", name)
		}
	}
}
