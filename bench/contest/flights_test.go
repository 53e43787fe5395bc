package contest

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"traitstream/bench/workload"
)

const ms = time.Millisecond

// TestFlights sends events before, in and after a window of 100 ms.
func TestFlights(t *testing.T) {
	f := newFlights(100*ms, 200*ms)
	early, in, late := workload.Event{Key: 1}, workload.Event{Key: 2, Treatment: 1, SeenAt: 5}, workload.Event{Key: 3}
	quiet := workload.Event{Key: 4}
	repeated := in
	repeated.Sent = 7
	for at, e := range map[time.Duration]workload.Event{90 * ms: early, 100 * ms: in, 199 * ms: quiet, 200 * ms: late} {
		f.sending(e, at)
	}
	f.sending(repeated, 150*ms)
	for _, e := range []workload.Event{early, in, late} {
		if err := f.landing(e, 230*ms); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.landing(in, 300*ms); err != nil { // by a peer that puts out twice
		t.Fatal(err)
	}
	took, events := f.took()
	if !slices.Equal(took, []time.Duration{130 * ms}) || events != 3 || f.seen() != 3 {
		t.Errorf("took %v of %d events, %d seen; want 130 ms of 3, 3 seen", took, events, f.seen())
	}
	if err := f.landing(workload.Event{Key: 2, Treatment: 2, SeenAt: 5}, 230*ms); err == nil {
		t.Error("a change of an event that was not sent is taken")
	}
}

// TestPercentile holds percentiles against their meaning: no smaller value would
// have so large a share at or below it.
func TestPercentile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Map(rapid.Int64Range(0, 50), func(n int64) time.Duration { return time.Duration(n) }), 1, 300).Draw(t, "values")
		share := rapid.SampledFrom([]float64{0.001, 0.5, 0.9, 0.99, 0.999, 1}).Draw(t, "share")
		slices.Sort(values)
		got := percentile(values, share)
		below, upTo := 0, 0
		for _, v := range values {
			if v < got {
				below++
			}
			if v <= got {
				upTo++
			}
		}
		n := float64(len(values))
		if float64(upTo) < share*n || float64(below) >= share*n || !slices.Contains(values, got) {
			t.Errorf("%v of %v: %d, with %d below and %d up to it", share, values, got, below, upTo)
		}
	})
	if percentile(nil, 0.5) != 0 {
		t.Error("nothing has a percentile")
	}
}

func TestLatencyIsOfTheWindow(t *testing.T) {
	f := newFlights(0, time.Hour)
	for i := range 1000 {
		e := workload.Event{Key: uint32(i)}
		f.sending(e, time.Second)
		if err := f.landing(e, time.Second+time.Duration(i+1)*ms); err != nil {
			t.Fatal(err)
		}
	}
	l := &Latency{}
	l.fill(f)
	want := Latency{Events: 1000, Changes: 1000, P50: 500, P90: 900, P99: 990, P999: 999, Max: 1000}
	if *l != want {
		t.Errorf("%+v, want %+v", *l, want)
	}
}

func TestPaceCountsItsEvents(t *testing.T) {
	p := Pace{Rate: 20, WarmUp: 12 * time.Second, Window: 28 * time.Second}
	if p.events() != 41*20 {
		t.Errorf("%d events, want 820", p.events())
	}
}
