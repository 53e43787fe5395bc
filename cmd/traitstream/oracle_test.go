package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"traitstream/internal/oracle"
)

// oracleSetup is a configuration and what it says, for the oracle.
type oracleSetup struct {
	yaml   string
	source oracle.Source
	defs   []oracle.Definition
}

var oracleSetups = map[string]oracleSetup{
	"default": {
		source: oracle.Source{Topic: "impressions", Format: "auto", Identity: "user"},
		defs:   []oracle.Definition{{Name: "{split}", Event: "get_treatment", Property: "treatment", NotServed: "ignore"}},
	},
	"production alone, cleared": {
		yaml: `
sources:
  - topic: in
    environment: Prod-Default
    environments: {0c3a9f10-9d3e-11ee-8c90-0242ac120002: Prod-Default, 1d4bae20-9d3e-11ee-8c90-0242ac120002: Staging-Default}
    identity: {by: trafficTypeId, map: {7f1d2b40: user, 8a2e3c50: anonymous, 9b3f4d60: skip}, else: user}
traits:
  - name: "{split}"
    where: {environmentName: Prod-Default, label: {not_contains: employees}}
    not_served: clear
`,
		source: oracle.Source{
			Topic: "in", Format: "auto", Environment: "Prod-Default", Environments: oracle.EnvironmentNames(),
			ByTrafficType: map[string]string{"7f1d2b40": "user", "8a2e3c50": "anonymous", "9b3f4d60": ""}, Else: "user",
		},
		defs: []oracle.Definition{{Name: "{split}", Event: "get_treatment", Property: "treatment", NotServed: "clear", Where: []oracle.Cond{
			{Property: "environmentName", Operator: "equals", Operands: []string{"Prod-Default"}},
			{Property: "label", Operator: "not_contains", Operands: []string{"employees"}},
		}}},
	},
	"two traits": {
		yaml: `
sources: [{topic: in, identity: anonymous}]
traits:
  - {name: "flag {split}", not_served: store, any: [{treatment: "on"}, {splitVersionNumber: {at_least: 1665436973468}}]}
  - {name: "plan", property: properties.plan, where: {sdkVersion: {not_equals: 6.9.0}}}
`,
		source: oracle.Source{Topic: "in", Format: "auto", Identity: "anonymous"},
		defs: []oracle.Definition{
			{Name: "flag {split}", Event: "get_treatment", Property: "treatment", NotServed: "store", Any: [][]oracle.Cond{
				{{Property: "treatment", Operator: "equals", Operands: []string{"on"}}},
				{{Property: "splitVersionNumber", Operator: "at_least", Operands: []string{"1665436973468"}}}}},
			{Name: "plan", Event: "get_treatment", Property: "properties.plan", NotServed: "ignore", Where: []oracle.Cond{
				{Property: "sdkVersion", Operator: "not_equals", Operands: []string{"6.9.0"}}}},
		},
	},
}

// The whole program gives exactly what a slow and independent reading of the
// contract gives: each trait, each refused element and each count. All records
// of a user stand in one partition, in the order of the files, so the order of
// partitions changes nothing.
func TestDemoAgreesWithTheOracle(t *testing.T) {
	options := []oracle.Options{
		{Users: 2000, Events: 1200, Faults: 0.1, Ahead: true},
		{Users: 15, Events: 500, Faults: 0.3, Ahead: true},
	}
	for name, setup := range oracleSetups {
		for seed, o := range options {
			t.Run(fmt.Sprintf("%s, %d users", name, o.Users), func(t *testing.T) {
				compareDemo(t, setup, oracle.Generate(int64(seed), o))
			})
		}
	}
}

// The examples that the decoders were written from, as lines and as they are.
func TestDemoAgreesOnTheExamples(t *testing.T) {
	paths, err := filepath.Glob("../../internal/oracle/testdata/*.json*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	var files []oracle.File
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, oracle.File{Name: filepath.Base(path), Data: data})
	}
	for name, setup := range oracleSetups {
		t.Run(name, func(t *testing.T) { compareDemo(t, setup, files) })
		t.Run(name+", as lines", func(t *testing.T) { compareDemo(t, setup, files, "--lines") })
	}
}

func compareDemo(t *testing.T, setup oracleSetup, files []oracle.File, flags ...string) {
	dir := t.TempDir()
	lines := slices.Contains(flags, "--lines")
	paths, records, places := oracleRecords(t, dir, setup.source.Topic, files, lines)
	want := oracle.Run([]oracle.Source{setup.source}, setup.defs, 10*time.Minute, records)

	args := append([]string{"demo", "-c", write(t, dir, "c.yaml", setup.yaml), "--record-time", "2026-03-02T10:20:00Z"}, slices.Concat(flags, paths)...)
	status, stdout, stderr := program(t, "", append(args, "--format", "json")...)
	if status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	sameLines(t, "traits", demoTraits(t, stdout), oracleTraits(want))

	var refused []string
	for _, d := range want.DeadLetters {
		v := places[d.Record.Offset]
		line := v.line + strings.Count(string(d.Record.Value[:d.At]), "\n")
		refused = append(refused, fmt.Sprintf("%s:%d: %s", v.file, line, d.Reason))
	}
	told := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	slices.Sort(told)
	slices.Sort(refused)
	sameLines(t, "refused elements", told, refused)

	_, stdout, _ = program(t, "", append(args, "--users", "1")...)
	sameLines(t, "counts", demoCounts(stdout), oracleCounts(want))
}

// filePlace is where a value stands.
type filePlace struct {
	file string
	line int
}

// oracleRecords writes the files and returns each of their values as a record,
// with the place of each by its offset.
func oracleRecords(t *testing.T, dir, topic string, files []oracle.File, lines bool) (paths []string, records []oracle.Record, places []filePlace) {
	for _, f := range files {
		path := write(t, dir, f.Name, string(f.Data))
		paths = append(paths, path)
		for _, v := range oracle.SplitFile(f.Data, lines) {
			records = append(records, oracle.Record{Topic: topic, Offset: int64(len(records)), Timestamp: oracle.Stamp, Value: v.Data})
			places = append(places, filePlace{path, v.Line})
		}
	}
	return paths, records, places
}

// traitLine writes down a value of the traits topic without its place.
func traitLine(identity, id, trait, value, previous, seenAt, split, environment, label string, version int64, definition string) string {
	return fmt.Sprintf("%s %q %q = %s, was %s, at %s by %q in %q with %q, version %d by %q",
		identity, id, trait, value, previous, seenAt, split, environment, label, version, definition)
}

func demoTraits(t *testing.T, stdout string) []string {
	var lines []string
	for line := range strings.Lines(stdout) {
		var v struct {
			Identity, ID, Trait       string
			Value, Previous           json.RawMessage
			SeenAt                    string `json:"seen_at"`
			Split, Environment, Label string
			FlagVersion               int64 `json:"flag_version"`
			Definition                string
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, traitLine(v.Identity, v.ID, v.Trait, string(v.Value), string(v.Previous), v.SeenAt,
			v.Split, v.Environment, v.Label, v.FlagVersion, v.Definition))
	}
	return lines
}

// oracleTraits returns the same lines, sorted by the bytes of their keys.
func oracleTraits(r oracle.Result) []string {
	type row struct{ key, line string }
	var rows []row
	for _, v := range r.Traits {
		c := v.Last
		if c == nil || c.Value == "" {
			continue
		}
		previous := c.Previous
		if previous == "" {
			previous = "null"
		}
		seenAt := time.UnixMilli(c.SeenAt).UTC().Format("2006-01-02T15:04:05.000Z")
		rows = append(rows, row{c.Key.JSON(), traitLine(c.Key.Identity, c.Key.User, c.Key.Trait, c.Value, previous, seenAt,
			c.Split, c.Environment, c.Label, c.FlagVersion, c.Definition)})
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.key, b.key) })
	var lines []string
	for _, r := range rows {
		lines = append(lines, r.line)
	}
	return lines
}

// demoCounts finds the table of outcomes.
func demoCounts(stdout string) []string {
	_, table, _ := strings.Cut(stdout, "\nOUTCOME")
	table, _, _ = strings.Cut(table, "\n\n")
	var lines []string
	for _, line := range strings.Split(table, "\n")[1:] {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	slices.Sort(lines)
	return lines
}

func oracleCounts(r oracle.Result) []string {
	counts := map[string]int{}
	for _, o := range r.Outcomes {
		counts[o]++
	}
	var lines []string
	for outcome, n := range counts {
		lines = append(lines, fmt.Sprintf("%s %d", outcome, n))
	}
	slices.Sort(lines)
	return lines
}

// sameLines reports the first lines that differ.
func sameLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: %d, want %d; line %d:\ngot  %s\nwant %s", what, len(got), len(want), i, got[i], want[i])
		}
	}
	n := min(len(got), len(want))
	if more := slices.Concat(got[n:], want[n:]); len(more) > 0 {
		t.Fatalf("%s: %d, want %d; the first beyond: %s", what, len(got), len(want), more[0])
	}
}
