package oracle

import (
	"bytes"
	"testing"
	"time"
)

func made(seed int64) []File {
	return Generate(seed, Options{Users: 10, Events: 100, Faults: 0.2, Ahead: true})
}

// Every outcome and every reason comes up, or comparing on made-up files would
// show little.
func TestMadeUpFilesMeetEverything(t *testing.T) {
	met := map[string]int{}
	defs := lastSeen(production)
	defs[0].NotServed = "clear"
	for seed := range int64(20) {
		for _, f := range made(seed) {
			r := Run([]Source{source}, defs, 10*time.Minute, asRecords(f))
			for _, o := range r.Outcomes {
				met[o]++
			}
			for _, d := range r.DeadLetters {
				met[d.Reason]++
			}
			for _, c := range r.Changes {
				if c.Value == "" {
					met["removed"]++
				}
			}
		}
	}
	for _, what := range []string{
		"change", "removed", "same", "duplicate", "late", "not_served", "no_match", "skipped", "malformed", "missing_user",
		"missing_flag", "missing_treatment", "missing_time", "bad_time", "bad_user", "clock_ahead", "unknown_shape",
	} {
		if met[what] < 10 {
			t.Errorf("%s: met %d times", what, met[what])
		}
	}
}

func asRecords(f File) []Record {
	var all []Record
	for i, v := range SplitFile(f.Data, false) {
		all = append(all, Record{Topic: "impressions", Offset: int64(i), Timestamp: Stamp, Value: v.Data})
	}
	return all
}

func TestTheSameSeedMakesTheSameFiles(t *testing.T) {
	first, second, other := made(1), made(1), made(2)
	for i, f := range first {
		if f.Name != second[i].Name || !bytes.Equal(f.Data, second[i].Data) {
			t.Errorf("%s differs", f.Name)
		}
		if bytes.Equal(f.Data, other[i].Data) {
			t.Errorf("%s does not depend on the seed", f.Name)
		}
	}
}

func TestSplitFile(t *testing.T) {
	for _, test := range []struct {
		name, data string
		lines      bool
		want       []Value
	}{
		{"nothing", "", false, nil},
		{"blanks", " \n\t\n", false, nil},
		{"lines", "\n{}\r\n\n{\n5", false, []Value{{2, []byte("{}\r")}, {4, []byte("{")}, {5, []byte("5")}}},
		{"lines told by a word", "x\n{}", false, []Value{{1, []byte("x")}, {2, []byte("{}")}}},
		{"a sequence", "\n[1,\n2] {}\n\n\"a\"", false, []Value{{2, []byte("[1,\n2]")}, {3, []byte("{}")}, {5, []byte(`"a"`)}}},
		{"two on the first line", "{} {}\n5", false, []Value{{1, []byte("{}")}, {1, []byte("{}")}, {2, []byte("5")}}},
		{"a sequence that breaks", "{\n} x {}\n", false, []Value{{1, []byte("{\n}")}, {2, []byte("x {}\n")}}},
		{"forced", "{\n}", true, []Value{{1, []byte("{")}, {2, []byte("}")}}},
	} {
		got := SplitFile([]byte(test.data), test.lines)
		for i := range max(len(got), len(test.want)) {
			if i >= len(got) || i >= len(test.want) || got[i].Line != test.want[i].Line || !bytes.Equal(got[i].Data, test.want[i].Data) {
				t.Errorf("%s: got %v, want %v", test.name, got, test.want)
				break
			}
		}
	}
}
