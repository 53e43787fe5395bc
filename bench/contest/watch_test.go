package contest

import (
	"testing"
	"time"

	"traitstream/bench/workload"
)

// TestResult measures a run that was made up: a record each ms, of which the
// process spends a quarter on a processor, and an output that ends a second
// before the last look.
func TestResult(t *testing.T) {
	began := time.Unix(0, 0)
	v := &view{}
	for ms := int64(0); ms <= 11_000; ms += 20 {
		d := time.Duration(ms) * time.Millisecond
		done := min(ms, 10_000)
		if len(v.looks) > 0 && done > v.looks[len(v.looks)-1].done {
			v.last = len(v.looks)
		}
		v.looks = append(v.looks, look{at: began.Add(d), done: done, cpu: d / 4, broker: d / 8})
	}
	p := workload.Default()
	p.Events = 10_000
	in := &Input{Name: "x", Params: p, Records: 10_000}
	r := v.result(&Contestant{Name: "c"}, in)
	if r.Events != 10_000 || r.Seconds != 10 || r.CPU != 2.5 || r.BrokerCPU != 1.25 || r.PerCPU != 4000 || r.Rate < 999 || r.Rate > 1001 {
		t.Errorf("the whole run: %+v", r)
	}
	in.Params.Warm = 5000
	r = v.result(&Contestant{Name: "c"}, in)
	if r.Events != 5000 || r.Seconds != 5 || r.CPU != 1.25 || r.PerCPU != 4000 {
		t.Errorf("its steady half: %+v", r)
	}
}

// TestResultOfAnInstant has a run that one look saw whole: there is no rate, but
// a result that can be kept.
func TestResultOfAnInstant(t *testing.T) {
	p := workload.Default()
	p.Events = 10
	v := &view{looks: []look{{at: time.Unix(0, 0)}, {at: time.Unix(1, 0), done: 10}}, last: 1}
	r := v.result(&Contestant{Name: "c"}, &Input{Name: "x", Params: p, Records: 10})
	if _, err := Line(r); err != nil || r.Rate != 0 || r.PerCPU != 0 || r.Seconds != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRestoreIsReadFromTheLog(t *testing.T) {
	r := &Restored{}
	if err := r.readLog("testdata/restore.log"); err != nil {
		t.Fatal(err)
	}
	if r.Records != 70 || r.Restore != 1500*time.Millisecond {
		t.Errorf("%+v", r)
	}
}
