package trait

import (
	"bytes"
	"maps"
	"os"
	"strings"
	"testing"

	"traitstream/impression"
)

// The example files of package impression, each from an empty state, give the
// outcomes that were worked out by hand for them.
func TestExamples(t *testing.T) {
	production := []Condition{condition(t, "environmentName", "equals", "Prod-Default")}
	export := []Condition{
		condition(t, "environmentId", "equals", "0c3a9f10-9d3e-11ee-8c90-0242ac120002"),
		condition(t, "trafficTypeId", "equals", "7f1d2b40-9d3e-11ee-8c90-0242ac120002"),
	}
	for _, test := range []struct {
		file  string
		where []Condition
		want  map[string]int
	}{
		{"split-webhook.json", production,
			map[string]int{"change": 15, "same": 1, "duplicate": 1, "late": 2, "not_served": 4, "no_match": 1, "traits": 14}},
		{"segment-track.jsonl", production,
			map[string]int{"change": 19, "same": 1, "duplicate": 2, "late": 2, "not_served": 2, "no_match": 1, "skipped": 2, "traits": 15}},
		{"listener.jsonl", production,
			map[string]int{"change": 9, "same": 1, "late": 1, "not_served": 2, "traits": 7}},
		{"synchronizer.jsonl", production,
			map[string]int{"change": 6, "same": 2, "duplicate": 1, "late": 1, "not_served": 2, "traits": 6}},
		{"bulk.json", production,
			map[string]int{"change": 7, "duplicate": 1, "late": 1, "not_served": 2, "traits": 6}},
		{"s3-export.jsonl", export,
			map[string]int{"change": 8, "same": 1, "duplicate": 1, "late": 1, "not_served": 2, "no_match": 3, "traits": 7}},
	} {
		s := set(t, Definition{Name: name(t, "{split}"), Where: test.where})
		if got := outcomes(t, s, test.file); !maps.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.file, got, test.want)
		}
	}
}

// outcomes merges a file and counts what becomes of its elements, and the
// traits at the end.
func outcomes(t *testing.T, s *Set, file string) map[string]int {
	t.Helper()
	data, err := os.ReadFile("../impression/testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	records := [][]byte{data}
	if strings.HasSuffix(file, ".jsonl") {
		records = bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	}
	source := impression.Source{Format: impression.Auto, Identity: impression.User, Environment: "Prod-Default"}
	if strings.HasPrefix(file, "s3") {
		source.Environment = ""
	}
	decoder := impression.NewDecoder(source, s.Filter())
	matcher := s.NewMatcher()
	counts := map[string]int{}
	state := map[string]*Record{}
	for _, record := range records {
		for _, e := range decoder.Decode(nil, record) {
			if e.Outcome == impression.Skipped {
				counts["skipped"]++
				continue
			}
			imp := &e.Impression
			matches, verdict := matcher.Match(nil, imp)
			switch verdict {
			case NoMatch:
				counts["no_match"]++
			case NotServed:
				counts["not_served"]++
			}
			for _, m := range matches {
				k := Key{Identity: imp.Identity, User: imp.User, Trait: m.Trait}
				id := imp.Identity.String() + "\x00" + string(imp.User) + "\x00" + string(m.Trait)
				if state[id] == nil {
					state[id] = &Record{}
				}
				in := Register{SeenAt: imp.SeenAt, Version: imp.Version, Treatment: imp.Treatment, Value: m.Value}
				counts[state[id].Merge("app", k, in, Facts{}, 0).String()]++
			}
		}
	}
	counts["traits"] = len(state)
	return counts
}
