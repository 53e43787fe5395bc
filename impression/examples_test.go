package impression

import (
	"fmt"
	"strings"
	"testing"
)

// Outcomes of a record of bad.jsonl, an element each.
const admitted = "admitted"

// badOutcomes tells what testdata/README.md says of bad.jsonl, by line. What the
// clock alone refuses is admitted here.
var badOutcomes = []string{
	"malformed", "malformed", "malformed", "malformed", "malformed", // 1
	"malformed", "malformed", "malformed", "malformed", "bad_user", // 6
	"bad_user", "malformed", "malformed", "unknown_shape", "unknown_shape", // 11
	"unknown_shape", "unknown_shape", "unknown_shape", "malformed", "malformed", // 16
	"malformed", "malformed", "missing_user", "missing_user", "missing_user", // 21
	"bad_user", admitted, admitted, "missing_flag", "missing_flag", // 26
	"missing_treatment", "missing_treatment", "missing_treatment", admitted, "missing_time", // 31
	"missing_time", "missing_time", "bad_time", "bad_time", "bad_time", // 36
	"bad_time", "bad_time", admitted, "bad_time", "bad_time", // 41
	"bad_time", admitted, admitted, "bad_time", "bad_time", // 46
	"malformed", admitted, admitted, admitted, admitted, // 51
	"admitted missing_treatment admitted",                // 56
	"unknown_shape unknown_shape unknown_shape admitted", // 57
	"admitted admitted", "", "missing_user",              // 58
	admitted, "missing_time", "bad_time", "missing_flag", admitted, // 61
	"malformed", admitted, "unknown_shape", "missing_user", "missing_flag admitted", // 66
	"malformed", "malformed", "missing_user", // 71
}

func TestBadExamples(t *testing.T) {
	records := readRecords(t, "bad.jsonl")
	if len(records) != len(badOutcomes) {
		t.Fatalf("%d lines, %d outcomes", len(records), len(badOutcomes))
	}
	d := NewDecoder(testSource(Auto), testFilter)
	for i, record := range records {
		var got []string
		for _, e := range d.Decode(nil, record) {
			got = append(got, describe(&e))
		}
		if strings.Join(got, " ") != badOutcomes[i] {
			t.Errorf("line %d: %s, want %s", i+1, got, badOutcomes[i])
		}
	}
}

func describe(e *Element) string {
	switch e.Outcome {
	case Accepted:
		return admitted
	case Skipped:
		return "skipped"
	}
	return string(e.Reason)
}

// TestNoValue tries the two records that cannot stand in a file of lines.
func TestNoValue(t *testing.T) {
	for _, value := range [][]byte{nil, {}, []byte(" \n")} {
		d := NewDecoder(testSource(Auto), testFilter)
		got := d.Decode(make([]Element, 3), value)
		if len(got) != 4 || got[3].Reason != Malformed || got[3].Index != 0 || got[3].Several {
			t.Fatalf("%q: %+v", value, got)
		}
		if raw := got[3].Raw(); string(raw) != string(value) || (raw == nil) != (value == nil) {
			t.Errorf("%q: raw %q", value, raw)
		}
	}
}

// TestGoodExamples checks that every impression of the other files is accepted,
// each under auto and under its own format, and spells out the first of each.
func TestGoodExamples(t *testing.T) {
	for _, c := range []struct {
		file              string
		format            Format
		accepted, skipped int
		first             string
	}{
		{"split-webhook.json", SplitWebhook, 24, 0,
			"user-1042 back_end_roll_algorithm on 1772446530123 1665436973467 in segment employees|Prod-Default|0c3a9f10-9d3e-11ee-8c90-0242ac120002||go|6.9.0|ip-10-0-0-7|10.0.0.7"},
		{"segment-track.jsonl", Segment, 27, 2,
			"user-1042 back_end_roll_algorithm off 1772445480000 1665436973467 default rule|Prod-Default|0c3a9f10-9d3e-11ee-8c90-0242ac120002|||||"},
		{"listener.jsonl", SplitListener, 13, 0,
			"user-1042 back_end_roll_algorithm on 1772446530123 1665436973467 default rule|Prod-Default||||javascript-11.8.0||"},
		{"synchronizer.jsonl", SplitSynchronizer, 12, 0,
			"user-1042 back_end_roll_algorithm on 1772446530123 1665436973467 default rule|Prod-Default||b1||go-6.9.0|ip-10-0-0-7|10.0.0.7"},
		{"bulk.json", SplitBulk, 11, 0,
			"user-1042 back_end_roll_algorithm on 1772446530123 1665436973467 default rule|Prod-Default||bucket-7||||"},
		{"s3-export.jsonl", SplitExport, 16, 0,
			"user-1042 back_end_roll_algorithm on 1772444730123 1665436973467 default rule|Production|0c3a9f10-9d3e-11ee-8c90-0242ac120002||go|6.9.0|ip-10-0-0-7|10.0.0.7"},
	} {
		for _, format := range []Format{Auto, c.format} {
			d := NewDecoder(testSource(format), testFilter)
			var elements []Element
			for _, record := range readRecords(t, c.file) {
				elements = d.Decode(elements, record)
			}
			counts := map[Outcome]int{}
			for i := range elements {
				counts[elements[i].Outcome]++
			}
			if counts[Accepted] != c.accepted || counts[Skipped] != c.skipped || counts[Refused] != 0 {
				t.Errorf("%s as %s: %v", c.file, format, counts)
			}
			if got := spell(&elements[0].Impression); got != c.first {
				t.Errorf("%s as %s: first is\n%s, want\n%s", c.file, format, got, c.first)
			}
		}
	}
}

func spell(m *Impression) string {
	return fmt.Sprintf("%s %s %s %d %d %s|%s|%s|%s|%s|%s|%s|%s", m.User, m.Flag, m.Treatment, m.SeenAt, m.Version,
		m.Label, m.EnvironmentName, m.EnvironmentID, m.BucketingKey, m.SDK, m.SDKVersion, m.MachineName, m.MachineIP)
}

// TestExamplesAgainstReference compares all files under all formats.
func TestExamplesAgainstReference(t *testing.T) {
	for _, file := range exampleFiles {
		for _, record := range readRecords(t, file) {
			for _, format := range Formats() {
				check(t, testSource(format), testFilter, record)
			}
			checkSniffed(t, record)
		}
	}
}
