package schemas

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"traitstream/trait"
)

func TestJobsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Job{
			ID: rapid.StringN(1, 20, -1).Draw(t, "id"), State: JobPaused, Emit: EmitNone, From: 1, To: 2, Rate: 3,
			Ranges: []JobRange{{Topic: "a", Partition: rapid.Int32Min(0).Draw(t, "partition"), From: 5, To: 6}},
			Users:  rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "users"), Created: 7, Changed: 8,
		}
		got, ok, err := ParseJob(want.Key(), want.Value())
		if !ok || err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v came back as %+v, %v, %v", want, got, ok, err)
		}
		report := JobReport{ID: want.ID, Task: 3, Total: 4, JobCounts: JobCounts{Read: 5, Sent: 6}}
		if got, ok := ParseJobReport(report.Key(), report.Value()); !ok || got != report {
			t.Fatalf("%+v came back as %+v, %v", report, got, ok)
		}
		progress := JobProgress{Next: rapid.SliceOfN(rapid.Int64(), 1, 4).Draw(t, "next"), Behind: []byte{1}, JobCounts: report.JobCounts}
		if got, err := DecodeJobProgress(AppendJobProgress(nil, &progress)); err != nil || !reflect.DeepEqual(got, progress) {
			t.Fatalf("%+v came back as %+v, %v", progress, got, err)
		}
		if id, ok := ParseJobKey(AppendJobKey(nil, want.ID)); !ok || id != want.ID {
			t.Fatalf("the key of %q came back as %q, %v", want.ID, id, ok)
		}
	})
}

// What is none of this release's is refused, and what is of another kind is not
// looked at.
func TestJobsThatAreNone(t *testing.T) {
	j := Job{ID: "j", State: JobRunning, Emit: EmitAll}
	if _, ok, err := ParseJob(ControlKey("rules", "j"), j.Value()); ok || err != nil {
		t.Error("rules are taken for a job")
	}
	for _, value := range []string{
		`{`, `{"job":"other","state":"running","emit":"all"}`, `{"job":"j","state":"x","emit":"all"}`, `{"job":"j","state":"done","emit":"x"}`,
		`{"job":"j","state":"done","emit":"all","ranges":[{"topic":"a","partition":-1}]}`,
		`{"job":"j","state":"done","emit":"all","ranges":[{"topic":"a","from":2,"to":1}]}`,
	} {
		if _, ok, err := ParseJob(j.Key(), []byte(value)); !ok || err == nil {
			t.Errorf("%s is a job", value)
		}
	}
	if _, ok, _ := ParseJob(j.Key(), nil); ok {
		t.Error("what was removed is a job")
	}
	for _, value := range [][]byte{nil, {0}, {taskRecordVersion}, {taskRecordVersion, '['}, {taskRecordVersion + 1, '{', '}'}} {
		if _, err := DecodeJobProgress(value); err == nil {
			t.Errorf("%x is progress", value)
		}
	}
}

// Partitions beyond the tasks are shared out too, and none twice.
func TestJobShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var j Job
		for p := range rapid.Int32Range(0, 20).Draw(t, "partitions") {
			j.Ranges = append(j.Ranges, JobRange{Topic: "a", Partition: p, To: 1})
		}
		tasks := rapid.Int32Range(1, 7).Draw(t, "tasks")
		n := 0
		for task := range tasks {
			for _, r := range j.Share(task, tasks) {
				n++
				if r.Partition < tasks && r.Partition != task {
					t.Fatalf("task %d reads partition %d", task, r.Partition)
				}
			}
		}
		if n != len(j.Ranges) {
			t.Fatalf("%d of %d partitions are read", n, len(j.Ranges))
		}
	})
}

func TestReplayHeaders(t *testing.T) {
	place := trait.Place{Topic: "a", Partition: 1, Offset: 2, Index: -1, Timestamp: -1}
	for _, quiet := range []bool{true, false} {
		headers := append(InboxHeaders(place), ReplayHeaders("j", quiet)...)
		got, err := ParseInboxHeaders(headers)
		job, isQuiet := ParseReplayHeaders(headers)
		if err != nil || got != place || job != "j" || isQuiet != quiet {
			t.Errorf("%+v of %q, %v, %v", got, job, isQuiet, err)
		}
	}
	live := append([]Header{text(headerJob, "foreign"), text(headerQuiet, "true")}, InboxHeaders(place)...)
	if job, quiet := ParseReplayHeaders(live); job != "" || quiet {
		t.Errorf("a source's own header makes it a replay of %q", job)
	}
}
