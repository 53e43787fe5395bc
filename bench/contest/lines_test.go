package contest

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestResultsAreReadBack writes a line of each kind.
func TestResultsAreReadBack(t *testing.T) {
	want := Results{
		Runs: []Result{
			{Contestant: "a", Input: "skewed", Events: 5, Seconds: 1.5, CPU: 2, Rate: 3, PerCPU: 2.5, PeakMemory: 1 << 40, Check: "exact"},
			{Contestant: "b", Input: "skewed", BrokerCPU: 0.5, Check: "DIFFERS: \"x\""},
		},
		Latencies: []Latency{{Contestant: "a", Rate: 20, P999: 1.25, Check: "exact"}},
		Restores:  []Restored{{Contestant: "a", Input: "keys-1m", Restore: 1500 * time.Millisecond}},
		Crashes:   []Crashed{{Contestant: "a", Input: "keys-1m", Seconds: []float64{0.5, 0.75}, Check: "exact"}},
	}
	var text bytes.Buffer
	for _, one := range []any{&want.Runs[0], &want.Latencies[0], &want.Restores[0], &Pause{Task: 1}, &want.Crashes[0], &want.Runs[1]} {
		line, err := Line(one)
		if err != nil || bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("%q, %v", line, err)
		}
		text.Write(line)
	}
	var got Results
	if err := got.Read(&text); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func TestWhatIsNoResult(t *testing.T) {
	if _, err := Line("text"); err == nil {
		t.Error("a string is a result")
	}
	for _, bad := range []string{`{"what":"x"}`, `{}`, `[]`, `{"what":"run","events":"many"}`, `{"what":"run"`, `contestant  input`} {
		if err := new(Results).Read(strings.NewReader(`{"what":"run"}` + bad)); err == nil || !strings.Contains(err.Error(), "result 2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
