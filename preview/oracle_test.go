package preview

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"traitstream/internal/oracle"
	"traitstream/kafka"
)

// setup is a configuration and what it says, for the oracle.
type setup struct {
	yaml   string
	source oracle.Source
	defs   []oracle.Definition
}

func definition(name string, change func(*oracle.Definition)) oracle.Definition {
	d := oracle.Definition{Name: name, Event: "get_treatment", Property: "treatment", NotServed: "ignore"}
	if change != nil {
		change(&d)
	}
	return d
}

var setups = []setup{
	{
		source: oracle.Source{Topic: "impressions", Format: "auto", Identity: "user"},
		defs:   []oracle.Definition{definition("{split}", nil)},
	}, {
		yaml: `
sources: [{topic: impressions, environment: Prod-Default}]
traits:
  - {name: "{split}", not_served: clear, where: {environmentName: Prod-Default, label: {not_contains: employees}}}
  - {name: "{split} in {environmentName}", not_served: store}
`,
		source: oracle.Source{Topic: "impressions", Format: "auto", Identity: "user", Environment: "Prod-Default"},
		defs: []oracle.Definition{
			definition("{split}", func(d *oracle.Definition) {
				d.NotServed = "clear"
				d.Where = []oracle.Cond{
					{Property: "environmentName", Operator: "equals", Operands: []string{"Prod-Default"}},
					{Property: "label", Operator: "not_contains", Operands: []string{"employees"}},
				}
			}),
			definition("{split} in {environmentName}", func(d *oracle.Definition) { d.NotServed = "store" }),
		},
	}, {
		yaml: `
sources: [{topic: impressions, identity: anonymous}]
traits:
  - {name: seen, not_served: store, any: [{treatment: "on"}, {splitVersionNumber: {at_least: 1665436973468}}]}
  - {name: plan, property: properties.plan, where: {sdkVersion: {not_equals: 6.9.0}}}
`,
		source: oracle.Source{Topic: "impressions", Format: "auto", Identity: "anonymous"},
		defs: []oracle.Definition{
			definition("seen", func(d *oracle.Definition) {
				d.NotServed = "store"
				d.Any = [][]oracle.Cond{
					{{Property: "treatment", Operator: "equals", Operands: []string{"on"}}},
					{{Property: "splitVersionNumber", Operator: "at_least", Operands: []string{"1665436973468"}}},
				}
			}),
			definition("plan", func(d *oracle.Definition) {
				d.Property = "properties.plan"
				d.Where = []oracle.Cond{{Property: "sdkVersion", Operator: "not_equals", Operands: []string{"6.9.0"}}}
			}),
		},
	},
}

// expected is what the oracle makes of records, in the words of a report.
type expected struct {
	outcomes map[string]int64
	users    map[string]map[string]bool  // by definition
	values   map[string]map[string]int64 // by trait and value
	changes  map[string]int64            // by definition
}

func expect(s setup, records []oracle.Record) expected {
	const ahead = 10 * time.Minute
	r := oracle.Run([]oracle.Source{s.source}, s.defs, ahead, records)
	e := expected{map[string]int64{}, map[string]map[string]bool{}, map[string]map[string]int64{}, map[string]int64{}}
	for _, o := range r.Outcomes {
		e.outcomes[o]++
	}
	for _, d := range s.defs {
		e.users[d.Name] = map[string]bool{}
	}
	for _, rec := range records {
		all, _ := oracle.Look(s.source, s.defs, ahead, rec)
		for _, sighting := range all {
			e.users[sighting.Definition][sighting.Key.Identity+sighting.Key.User] = true
		}
	}
	for key, t := range r.Traits {
		if t.Value != "" {
			if e.values[key.Trait] == nil {
				e.values[key.Trait] = map[string]int64{}
			}
			e.values[key.Trait][t.Value]++
		}
	}
	for _, c := range r.Changes {
		if c.Value != "" { // a removal tells no definition here
			e.changes[c.Definition]++
		}
	}
	return e
}

// agree compares a report with the oracle.
func agree(t rapid.TB, r *Report, e expected) {
	t.Helper()
	var refused int64
	for _, n := range r.Refused {
		refused += n
	}
	if refused != e.outcomes["dead_letter"] || r.Skipped != e.outcomes["skipped"] || r.NoMatch != e.outcomes["no_match"] {
		t.Errorf("refused %d, skipped %d, unwanted %d, want %v", refused, r.Skipped, r.NoMatch, e.outcomes)
	}
	values := map[string]map[string]int64{}
	for _, d := range r.Definitions {
		if d.Users != (Count{N: int64(len(e.users[d.Name]))}) {
			t.Errorf("%s: %+v users, want %d", d.Name, d.Users, len(e.users[d.Name]))
		}
		if got := d.Changes.First + d.Changes.Changed; got != e.changes[d.Name] {
			t.Errorf("%s: %d changes, want %d", d.Name, got, e.changes[d.Name])
		}
		for _, of := range d.Traits {
			if values[of.Name] == nil {
				values[of.Name] = map[string]int64{}
			}
			for _, v := range of.Values {
				values[of.Name][v.Value] += v.Users
			}
		}
	}
	if !maps.EqualFunc(values, e.values, maps.Equal) {
		t.Errorf("values %v, want %v", values, e.values)
	}
	var added int64
	for _, of := range e.values {
		for _, n := range of {
			added += n
		}
	}
	if r.Difference.Added != added {
		t.Errorf("%d to add, want %d", r.Difference.Added, added)
	}
}

// All that is counted is what the oracle counts, whatever comes, in whatever shape.
func TestPreviewAgreesWithTheOracle(t *testing.T) {
	w := newWorld(t, "", 1, false)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		s := setups[rapid.IntRange(0, len(setups)-1).Draw(rt, "setup")]
		files := oracle.Generate(rapid.Int64().Draw(rt, "seed"), oracle.Options{
			Users: rapid.IntRange(1, 30).Draw(rt, "users"), Events: 40, Faults: 0.2, Ahead: rapid.Bool().Draw(rt, "ahead"),
		})
		topic := fmt.Sprintf("in-%d", round)
		noError(t, kafka.CreateTopics(w.limit(), w.client, -1, kafka.Topic{Name: topic, Partitions: 1}))
		var records []oracle.Record
		var produced []*kgo.Record
		for _, f := range files {
			for _, v := range oracle.SplitFile(f.Data, false) {
				records = append(records, oracle.Record{Topic: "impressions", Offset: int64(len(records)), Timestamp: oracle.Stamp, Value: v.Data})
				produced = append(produced, &kgo.Record{Topic: topic, Value: v.Data, Timestamp: time.UnixMilli(oracle.Stamp)})
			}
		}
		w.put(produced...)
		cfg := parse(t, s.yaml)
		cfg.Sources[0].Topic = topic
		topics, err := kafka.EnsureTopics(w.limit(), w.client, cfg, kafka.Creation{})
		noError(t, err)
		r, err := Run(w.limit(), Options{Config: cfg, Topics: topics, Client: w.client, Now: time.UnixMilli(noon)})
		noError(t, err)
		agree(rt, r, expect(s, records))
	})
}

// Which partitions the impressions lie in changes no value.
func TestPartitionsChangeNoValue(t *testing.T) {
	s := setups[1]
	values := func(partitions int32) (all []string) {
		w := newWorld(t, s.yaml, partitions, false)
		for i, f := range oracle.Generate(7, oracle.Options{Users: 30, Events: 200}) {
			for k, v := range oracle.SplitFile(f.Data, false) {
				w.put(&kgo.Record{Topic: "impressions", Partition: int32(i+k) % partitions, Value: v.Data, Timestamp: time.UnixMilli(oracle.Stamp)})
			}
		}
		for _, d := range w.preview("").Definitions {
			all = append(all, fmt.Sprint(d.Name, d.Impressions, d.Users, d.Traits, d.None))
		}
		return all
	}
	if one, five := values(1), values(5); !slices.Equal(one, five) {
		t.Errorf("in one partition\n%v\nin five\n%v", one, five)
	}
}
