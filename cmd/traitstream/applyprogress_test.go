package main

import (
	"fmt"
	"testing"

	"traitstream/processor"
	"traitstream/schemas"
)

// However short it is, a change begins at nothing, and what is shown as all done is.
func TestProgressOfDefinitions(t *testing.T) {
	report := func(task int32, read, total int64, done, switched bool) schemas.JobReport {
		return schemas.JobReport{Task: task, JobCounts: schemas.JobCounts{Read: read}, Total: total, Done: done, Switched: switched}
	}
	for _, c := range []struct {
		reports []schemas.JobReport
		want    string
	}{
		{nil, "reading history 0/0 0 of 2 tasks have begun"},
		{[]schemas.JobReport{report(1, 40, 40, true, false)}, "reading history 0/0 1 of 2 tasks have begun"},
		{[]schemas.JobReport{report(0, 0, 60, false, false), report(1, 40, 40, true, false)}, "reading history 40/100 40 of 100 offsets"},
		{[]schemas.JobReport{report(0, 60, 60, true, false), report(1, 40, 40, true, false)}, "going over 0/2 0 of 2 tasks have gone over"},
		{[]schemas.JobReport{report(0, 60, 60, true, true), report(1, 40, 40, true, false)}, "going over 1/2 1 of 2 tasks have gone over"},
		{[]schemas.JobReport{report(0, 0, 0, true, true), report(1, 0, 0, true, true)}, "going over 2/2 2 of 2 tasks have gone over"},
	} {
		r := progressOf(&processor.JobStatus{Reports: c.reports, Tasks: 2})
		if got := fmt.Sprintf("%s%d/%d%s", r.doing, r.done, r.total, r.words); got != c.want {
			t.Errorf("%+v: %q, want %q", c.reports, got, c.want)
		}
	}
}
