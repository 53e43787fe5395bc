package oracle_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"traitstream/impression"
	"traitstream/internal/oracle"
	"traitstream/trait"
)

// setup is a source and definitions, for the oracle.
type setup struct {
	name   string
	source oracle.Source
	defs   []oracle.Definition
}

const event = "get_treatment"

var setups = []setup{
	{"plain",
		oracle.Source{Topic: "in", Format: "auto", Identity: "user", Environment: "Prod-Default"},
		[]oracle.Definition{{Name: "{split}", Event: event, Property: "treatment", NotServed: "ignore"}}},
	{"production, cleared",
		oracle.Source{Topic: "in", Format: "auto", Identity: "anonymous", Environments: oracle.EnvironmentNames()},
		[]oracle.Definition{{Name: "{split}", Event: event, Property: "treatment", NotServed: "clear", Where: []oracle.Cond{
			{Property: "environmentName", Operator: "one_of", Operands: []string{"Prod-Default", "Prod-EU"}},
			{Property: "label", Operator: "not_contains", Operands: []string{"employees"}}}}}},
	{"stored, by traffic type",
		oracle.Source{Topic: "in", Format: "auto", ByTrafficType: map[string]string{"7f1d2b40": "user", "8a2e3c50": "anonymous", "9b3f4d60": ""}, Else: "user"},
		[]oracle.Definition{{Name: "{split} in {environmentName}", Event: event, Property: "treatment", NotServed: "store"}}},
	{"a property",
		oracle.Source{Topic: "in", Format: "auto", Identity: "user", ByTrafficType: map[string]string{"7f1d2b40": "user"}},
		[]oracle.Definition{{Name: "{split}", Event: event, Property: "properties.plan", NotServed: "clear"}}},
	{"several definitions",
		oracle.Source{Topic: "in", Format: "auto", Identity: "user", Environment: "Prod-Default"},
		[]oracle.Definition{
			{Name: "flag {split}", Event: event, Property: "treatment", NotServed: "ignore"},
			{Name: "flag {split}{environmentId}", Event: event, Property: "treatment", NotServed: "ignore", Any: [][]oracle.Cond{
				{{Property: "environmentName", Operator: "not_exists"}},
				{{Property: "splitVersionNumber", Operator: "at_least", Operands: []string{"1.665436973469e12"}}, {Property: "properties.plan", Operator: "exists"}}}},
			{Name: "call", Event: "identify", Property: "treatment", NotServed: "ignore"},
			{Name: "plan", Event: event, Property: "properties.plan", NotServed: "store", Where: []oracle.Cond{
				{Property: "sdkVersion", Operator: "not_equals", Operands: []string{"6.1"}}}},
		}},
}

func (s setup) decoder(filter impression.Filter) *impression.Decoder {
	identities := map[string]impression.Identity{"user": impression.User, "anonymous": impression.Anonymous}
	src := impression.Source{
		Topic: s.source.Topic, Format: impression.Format(s.source.Format), Identity: identities[s.source.Identity],
		Environment: s.source.Environment, Environments: s.source.Environments,
	}
	if s.source.ByTrafficType != nil {
		src.Identity, src.ByTrafficType = identities[s.source.Else], map[string]impression.Identity{}
		for id, identity := range s.source.ByTrafficType {
			src.ByTrafficType[id] = identities[identity]
		}
	}
	return impression.NewDecoder(src, filter)
}

func (s setup) set(t rapid.TB) *trait.Set {
	conditions := func(all []oracle.Cond) (compiled []trait.Condition) {
		for _, c := range all {
			operands := c.Operands
			if operands == nil {
				operands = []string{"true"}
			}
			condition, err := trait.NewCondition(c.Property, c.Operator, operands)
			noError(t, err)
			compiled = append(compiled, condition)
		}
		return compiled
	}
	var defs []trait.Definition
	for _, d := range s.defs {
		name, err := trait.ParseName(d.Name)
		noError(t, err)
		policy, err := trait.ParsePolicy(d.NotServed)
		noError(t, err)
		def := trait.Definition{Name: name, Event: d.Event, Property: d.Property, NotServed: policy, Where: conditions(d.Where)}
		for _, branch := range d.Any {
			def.Any = append(def.Any, conditions(branch))
		}
		defs = append(defs, def)
	}
	set, err := trait.NewSet(defs)
	noError(t, err)
	return set
}

func noError(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rooms processes records by the rooms impression and trait, as the processor
// would, and returns what the oracle returns.
func rooms(t rapid.TB, s setup, ahead time.Duration, records []oracle.Record) oracle.Result {
	set := s.set(t)
	decoder, matcher := s.decoder(set.Filter()), set.NewMatcher()
	state := map[oracle.Key]*trait.Record{}
	r := oracle.Result{Traits: map[oracle.Key]oracle.Trait{}}
	for _, rec := range records {
		for _, e := range decoder.Decode(nil, rec.Value) {
			late := rec.Timestamp >= 0 && e.Outcome == impression.Accepted && e.Impression.SeenAt > rec.Timestamp+ahead.Milliseconds()
			switch {
			case e.Outcome == impression.Skipped:
				r.Outcomes = append(r.Outcomes, "skipped")
			case e.Outcome == impression.Refused || late:
				letter := oracle.DeadLetter{Record: rec, Index: e.Index, Several: e.Several, At: e.Offset(), Stage: "decode", Reason: string(e.Reason), Value: e.Raw()}
				if late {
					letter.Stage, letter.Reason = "admit", "clock_ahead"
				}
				r.Outcomes = append(r.Outcomes, "dead_letter")
				r.DeadLetters = append(r.DeadLetters, letter)
			default:
				place := trait.Place{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Index: -1, Timestamp: rec.Timestamp}
				if e.Several {
					place.Index = int32(e.Index)
				}
				r.Outcomes = append(r.Outcomes, merge(&r, state, matcher, &e.Impression, place))
			}
		}
	}
	for key, rec := range state {
		r.Traits[key] = oracle.Trait{SeenAt: rec.Seen.SeenAt, Version: rec.Seen.Version, Value: string(rec.Seen.Value)}
	}
	return r
}

var order = []string{"change", "same", "duplicate", "late", "not_served", "no_match"}

func merge(r *oracle.Result, state map[oracle.Key]*trait.Record, matcher *trait.Matcher, imp *impression.Impression, place trait.Place) string {
	matches, verdict := matcher.Match(nil, imp)
	best := map[trait.Verdict]string{trait.NoMatch: "no_match", trait.NotServed: "not_served", trait.Matched: "no_match"}[verdict]
	for _, m := range matches {
		key := trait.Key{Identity: imp.Identity, User: imp.User, Trait: m.Trait}
		name := oracle.Key{Identity: imp.Identity.String(), User: string(imp.User), Trait: string(m.Trait)}
		rec := state[name]
		if rec == nil {
			rec = &trait.Record{}
			state[name] = rec
		}
		facts := trait.Facts{Flag: imp.Flag, Environment: imp.EnvironmentName, Label: imp.Label, Definition: m.Definition.Name.String(), Place: place}
		seen := trait.Register{SeenAt: imp.SeenAt, Version: imp.Version, Treatment: imp.Treatment, Value: m.Value}
		merged := rec.Merge("app", key, seen, facts, 0)
		outcome := merged.String()
		if merged == trait.Changed || merged == trait.Removed {
			r.Changes = append(r.Changes, change(name, &rec.Emitted))
		} else if m.Value == nil {
			outcome = "not_served"
		}
		if slices.Index(order, outcome) < slices.Index(order, best) {
			best = outcome
		}
	}
	return best
}

func change(key oracle.Key, e *trait.Emission) oracle.Change {
	p := e.Facts.Place
	return oracle.Change{
		Key: key, Value: string(e.Value), Previous: string(e.Previous), SeenAt: e.SeenAt,
		Split: string(e.Facts.Flag), Environment: string(e.Facts.Environment), Label: string(e.Facts.Label), FlagVersion: e.Version,
		Definition: e.Facts.Definition, Source: oracle.Place{Topic: p.Topic, Partition: p.Partition, Offset: p.Offset, Index: int(p.Index)},
	}
}

const ahead = 10 * time.Minute

// agree compares what rooms and oracle make of records, all of it and in order.
func agree(t rapid.TB, s setup, records []oracle.Record) {
	t.Helper()
	want := oracle.Run([]oracle.Source{s.source}, s.defs, ahead, records)
	got := rooms(t, s, ahead, records)
	i := 0
	for ; i < min(len(want.DeadLetters), len(got.DeadLetters)); i++ {
		if g, w := letter(got.DeadLetters[i]), letter(want.DeadLetters[i]); g != w {
			t.Fatalf("%s: dead letter %d:\ngot  %s\nwant %s\nof %q", s.name, i, g, w, want.DeadLetters[i].Record.Value)
		}
	}
	if len(want.DeadLetters) != len(got.DeadLetters) {
		one := append(want.DeadLetters[i:], got.DeadLetters[i:]...)[0]
		t.Fatalf("%s: %d dead letters, want %d; the first beyond: %s of %q", s.name, len(got.DeadLetters), len(want.DeadLetters), letter(one), one.Record.Value)
	}
	for i := range min(len(want.Changes), len(got.Changes)) {
		if got.Changes[i] != want.Changes[i] {
			t.Fatalf("%s: change %d:\ngot  %+v\nwant %+v\nof %q or %q", s.name, i, got.Changes[i], want.Changes[i],
				records[want.Changes[i].Source.Offset].Value, records[got.Changes[i].Source.Offset].Value)
		}
	}
	if !slices.Equal(got.Outcomes, want.Outcomes) {
		t.Fatalf("%s: outcomes:\ngot  %v\nwant %v", s.name, got.Outcomes, want.Outcomes)
	}
	if g, w := fmt.Sprint(len(got.Changes), registers(got)), fmt.Sprint(len(want.Changes), registers(want)); g != w {
		t.Fatalf("%s: traits:\ngot  %s\nwant %s", s.name, g, w)
	}
}

func registers(r oracle.Result) map[oracle.Key]string {
	all := map[oracle.Key]string{}
	for key, t := range r.Traits {
		all[key] = fmt.Sprintf("%d %d %q", t.SeenAt, t.Version, t.Value)
	}
	return all
}

// letter writes down a dead letter, its value without blanks between tokens.
func letter(d oracle.DeadLetter) string {
	value := string(d.Value)
	var b bytes.Buffer
	if json.Compact(&b, d.Value) == nil {
		value = b.String()
	}
	return fmt.Sprintf("%s %s index %d several %v at %d: %q", d.Stage, d.Reason, d.Index, d.Several, d.At, value)
}

// asRecords makes a record of each value of the files.
func asRecords(files []oracle.File) []oracle.Record {
	var all []oracle.Record
	for _, f := range files {
		for _, v := range oracle.SplitFile(f.Data, false) {
			all = append(all, oracle.Record{Topic: "in", Offset: int64(len(all)), Timestamp: oracle.Stamp, Value: v.Data})
		}
	}
	return all
}

// What the rooms make of made-up records is what the oracle makes of them: each
// outcome, each dead letter and each change in its order.
func TestRoomsAgreeWithTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := setups[rapid.IntRange(0, len(setups)-1).Draw(t, "setup")]
		s.source.Format = rapid.SampledFrom([]string{"auto", "auto", "auto", "auto", "segment", "split-webhook", "split-listener",
			"split-synchronizer", "split-bulk", "split-export"}).Draw(t, "format")
		agree(t, s, drawRecords(t))
	})
}

// Records whose bytes were changed at random are read alike too.
func TestRoomsAgreeOnChangedBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawRecords(t)
		for i := range all {
			value := bytes.Clone(all[i].Value)
			for n := rapid.IntRange(0, 2).Draw(t, "changes"); n > 0 && len(value) > 0; n-- {
				at := rapid.IntRange(0, len(value)-1).Draw(t, "at")
				put := rapid.SampledFrom([]string{"", "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "-", "e", "null", " ", "\x00", "\xff", "u"}).Draw(t, "put")
				value = slices.Concat(value[:at], []byte(put), value[at+rapid.IntRange(0, 1).Draw(t, "cut"):])
			}
			all[i].Value = value
		}
		agree(t, setups[0], all)
	})
}

// Conditions hold alike, whatever the operator and what stands on both sides.
func TestRoomsAgreeOnConditions(t *testing.T) {
	texts := []string{"on", "off", "o", "", "ON", "größe-xl", "default rule", "Prod-Default", "0c3a9f10-9d3e-11ee-8c90-0242ac120002", "7f1d2b40", "go", "6.10", "6.1",
		"6.9.0", "user-1", "user-", "in", "12", "12.0", "true", "1665436973468", "b1", "ip-1", "10.0.0.7", "pro", `{"a":[1,"x\u0000/"]}`, "[]", "🦊", "2026-03-02", "new_checkout"}
	numbers := []string{"12", "1.2e1", "6.1", "-0", "-0.0005", "1665436973468", "1665436973467.5", "1e400", "-1e400", "99999999999999999999", "100000000000000000000"}
	times := []string{"2026-03-02", "2026-03-02T00:00:00Z", "2026-03-01T23:59:59.999+00:00", "1772409600000", "1665436973468", "2022-10-10T21:22:53.468Z", "12", "1665436973468.9", "-1e3"}
	properties := []string{"split", "treatment", "label", "environmentName", "environmentId", "splitVersionNumber", "key", "bucketingKey", "trafficTypeId", "sdk",
		"sdkVersion", "machineName", "machineIp", "source", "properties.plan", "properties.plan", "properties.other"}
	condition := rapid.Custom(func(t *rapid.T) oracle.Cond {
		c := oracle.Cond{
			Property: rapid.SampledFrom(properties).Draw(t, "property"),
			Operator: rapid.SampledFrom([]string{"equals", "not_equals", "one_of", "less_than", "at_most", "greater_than", "at_least", "contains", "not_contains",
				"starts_with", "ends_with", "contains_one_of", "before", "after", "exists", "not_exists"}).Draw(t, "operator"),
		}
		pool, most := texts, 1
		switch c.Operator {
		case "exists", "not_exists":
			return c
		case "less_than", "at_most", "greater_than", "at_least":
			pool = numbers
		case "before", "after":
			pool = times
		case "one_of", "contains_one_of":
			most = 3
		}
		c.Operands = rapid.SliceOfN(rapid.SampledFrom(pool), 1, most).Draw(t, "operands")
		return c
	})
	rapid.Check(t, func(t *rapid.T) {
		s := setups[rapid.IntRange(0, 1).Draw(t, "setup")]
		d := s.defs[0]
		d.Where = rapid.SliceOfN(condition, 0, 2).Draw(t, "where")
		if branches := rapid.SliceOfN(rapid.SliceOfN(condition, 1, 2), 0, 2).Draw(t, "any"); len(branches) > 0 {
			d.Any = branches
		}
		s.defs = []oracle.Definition{d}
		agree(t, s, drawRecords(t))
	})
}

func drawRecords(t *rapid.T) []oracle.Record {
	return asRecords(oracle.Generate(rapid.Int64().Draw(t, "seed"), oracle.Options{
		Users:  rapid.IntRange(1, 12).Draw(t, "users"),
		Events: rapid.IntRange(1, 40).Draw(t, "events"),
		Faults: rapid.SampledFrom([]float64{0, 0.1, 0.3, 0.8}).Draw(t, "faults"),
		Ahead:  true,
	}))
}
