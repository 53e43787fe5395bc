package oracle

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

// stamp is the timestamp of all records: 2026-03-02T10:20:00.000Z.
const stamp = 1772446800000

var source = Source{Topic: "impressions", Format: "auto", Identity: "user", Environment: "Prod-Default"}

func lastSeen(where ...Cond) []Definition {
	return []Definition{{Name: "{split}", Event: "get_treatment", Property: "treatment", NotServed: "ignore", Where: where}}
}

var production = Cond{"environmentName", "equals", []string{"Prod-Default"}}

// expected reads what must become of each example: per file the outcomes in
// order, then the final state.
func expected(t *testing.T) map[string][2][]string {
	data, err := os.ReadFile("testdata/expected.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][2][]string{}
	for section := range strings.SplitSeq(strings.TrimPrefix(string(data), "== "), "\n== ") {
		name, rest, _ := strings.Cut(section, "\n")
		outcomes, state, _ := strings.Cut(rest, "-- state\n")
		all[name] = [2][]string{strings.Split(strings.TrimSpace(outcomes), "\n"), strings.Split(strings.TrimSpace(state), "\n")}
	}
	return all
}

func records(t *testing.T, name string) []Record {
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	values := [][]byte{data}
	if strings.HasSuffix(name, ".jsonl") {
		values = nil
		for _, v := range SplitFile(data, true) {
			values = append(values, v.Data)
		}
	}
	var all []Record
	for i, v := range values {
		all = append(all, Record{Topic: "impressions", Offset: int64(i), Timestamp: stamp, Value: v})
	}
	return all
}

func TestExamples(t *testing.T) {
	for name, want := range expected(t) {
		if name == "bad.jsonl" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			defs := lastSeen(production)
			if name == "s3-export.jsonl" {
				defs = lastSeen(
					Cond{"environmentId", "equals", []string{"0c3a9f10-9d3e-11ee-8c90-0242ac120002"}},
					Cond{"trafficTypeId", "equals", []string{"7f1d2b40-9d3e-11ee-8c90-0242ac120002"}},
				)
			}
			got := Run([]Source{source}, defs, 10*time.Minute, records(t, name))
			compare(t, "outcomes", strings.Join(got.Outcomes, " "), strings.Join(want[0], " "))
			compare(t, "state", strings.Join(states(got), "\n"), strings.Join(want[1], "\n"))
		})
	}
}

func states(r Result) []string {
	var rows []string
	for k, v := range r.Traits {
		at := time.UnixMilli(v.SeenAt).UTC().Format("2006-01-02T15:04:05.000Z")
		rows = append(rows, strings.Join([]string{k.Identity, k.User, k.Trait, strings.Trim(v.Value, `"`), at}, " | "))
	}
	sort.Strings(rows)
	return rows
}

func TestBadExamples(t *testing.T) {
	want := expected(t)["bad.jsonl"][0]
	all := records(t, "bad.jsonl")
	if len(all) != len(want) {
		t.Fatalf("%d records, want %d", len(all), len(want))
	}
	for i, rec := range all {
		got := Run([]Source{source}, lastSeen(), 10*time.Minute, []Record{rec})
		var words []string
		if n := len(got.Changes); n > 0 {
			words = append(words, fmt.Sprintf("admitted %d", n))
		}
		if len(got.DeadLetters) > 0 {
			words = append(words, "dead")
		}
		for _, d := range got.DeadLetters {
			words = append(words, d.Reason)
			if (d.Reason == "clock_ahead") != (d.Stage == "admit") {
				t.Errorf("line %d: %s in stage %s", i+1, d.Reason, d.Stage)
			}
		}
		if words == nil {
			words = []string{"nothing"}
		}
		compare(t, "outcome", fmt.Sprintf("%d %s", i+1, strings.Join(words, " ")), want[i])
	}
	for _, empty := range [][]byte{nil, {}} {
		got := Run([]Source{source}, lastSeen(), 0, []Record{{Topic: "impressions", Value: empty}})
		if len(got.DeadLetters) != 1 || got.DeadLetters[0].Reason != "malformed" {
			t.Errorf("an empty value: %+v", got.DeadLetters)
		}
	}
}

func TestEachDeadLetterHoldsItsElementAlone(t *testing.T) {
	for in, want := range map[string]string{
		`[{"key":"a","split":"s","time":1772446530123},{"key":"b", "split":"s","treatment":"on"}]`: `{"key":"a","split":"s","time":1772446530123}` + "\n" + `{"key":"b", "split":"s","treatment":"on"}`,
		`[{"f":"x","i":[{"k":"a"},7],"z":1}]`:                                                      `{"f":"x","i":[{"k":"a"}],"z":1}` + "\n" + `{"f":"x","i":[7],"z":1}`,
		`{"impressions":[{"testName":"x","keyImpressions":[{}]},{"keyImpressions":5}],"sdkVersion":"v"}`: `{"impressions":[{"testName":"x","keyImpressions":[{}]}],"sdkVersion":"v"}` + "\n" +
			`{"impressions":[{"keyImpressions":5}],"sdkVersion":"v"}`,
	} {
		got := Run([]Source{source}, lastSeen(), 0, []Record{{Topic: "impressions", Timestamp: -1, Value: []byte(in)}})
		var values []string
		for _, d := range got.DeadLetters {
			values = append(values, string(d.Value))
		}
		compare(t, in, strings.Join(values, "\n"), want)
	}
}

func compare(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\ngot:\n%s\nwant:\n%s", what, got, want)
	}
}
