package oracle_test

import (
	"fmt"
	"strings"
	"testing"

	"traitstream/internal/oracle"
)

// The greatest sighting of each trait, in whatever order they are looked at, is
// the register that Run ends with (S1).
func TestLookAgreesWithRun(t *testing.T) {
	for _, s := range setups {
		records := asRecords(oracle.Generate(3, oracle.Options{Users: 5, Events: 300, Faults: 0.2, Ahead: true}))
		want := oracle.Run([]oracle.Source{s.source}, s.defs, ahead, records)
		greatest, total := map[oracle.Key]oracle.Sighting{}, 0
		for i := range records {
			all, elements := oracle.Look(s.source, s.defs, ahead, records[len(records)-1-i])
			total += elements
			for _, seen := range all {
				if old, ok := greatest[seen.Key]; !ok || seen.Compare(old) > 0 {
					greatest[seen.Key] = seen
				}
			}
		}
		if total != len(want.Outcomes) || len(greatest) != len(want.Traits) || len(greatest) < 5 {
			t.Errorf("%s: %d elements of %d traits, want %d of %d", s.name, total, len(greatest), len(want.Outcomes), len(want.Traits))
		}
		for key, seen := range greatest {
			if w := want.Traits[key]; w.SeenAt != seen.SeenAt || w.Version != seen.FlagVersion || w.Value != seen.Value {
				t.Errorf("%s: %s ends as %+v, want %+v", s.name, key.JSON(), seen, w)
			}
		}
	}
}

// What is nested as deep as JSON may be is taken apart; one deeper is malformed.
func TestDepth(t *testing.T) {
	for deep, want := range map[int]string{9_998: "change", 9_999: "dead_letter"} {
		value := fmt.Sprintf(`{"key":"u","split":"f","treatment":"on","time":1772452800000,"properties":{"plan":%s%s}}`,
			strings.Repeat("[", deep), strings.Repeat("]", deep))
		s := setups[4]
		got := oracle.Run([]oracle.Source{s.source}, s.defs, ahead, []oracle.Record{{Topic: "in", Timestamp: -1, Value: []byte(value)}})
		if got.Outcomes[0] != want {
			t.Errorf("%d deep is %s, want %s", deep, got.Outcomes[0], want)
		}
	}
}

func BenchmarkLook(b *testing.B) {
	s, bytes := setups[0], 0
	records := asRecords(oracle.Generate(1, oracle.Options{Users: 500, Events: 5000}))
	for _, r := range records {
		bytes += len(r.Value)
	}
	b.SetBytes(int64(bytes))
	for b.Loop() {
		for _, r := range records {
			oracle.Look(s.source, s.defs, ahead, r)
		}
	}
	b.ReportMetric(float64(b.N*len(records))/b.Elapsed().Seconds(), "records/s")
}
