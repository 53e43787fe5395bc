package schemas

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// Kinds of a replay job's records in the control topic.
const (
	replayKind       = "replay"
	replayReportKind = "replay-report"
)

// JobState is how far a job is, by who began it and by those who carry it out.
type JobState string

// The states of jobs.
const (
	JobRunning   JobState = "running"
	JobPaused    JobState = "paused"
	JobCancelled JobState = "cancelled" // what it has done stays
	JobDone      JobState = "done"      // all that it has read is merged and committed
	JobFailed    JobState = "failed"    // it can't go on; what it has done stays
)

// Over tells whether nothing more is to be done.
func (s JobState) Over() bool { return s == JobCancelled || s == JobDone || s == JobFailed }

// JobEmit is what a replay sends.
type JobEmit string

// What a replay sends.
const (
	EmitChanges JobEmit = "changes" // what differs from the last change that was sent
	EmitAll     JobEmit = "all"     // the last change of each trait again; no history is read
	EmitNone    JobEmit = "none"    // nothing: history fills state alone
	// EmitDefine computes other definitions from history; what differs is sent when
	// they take the place of those in force.
	EmitDefine JobEmit = "define"
)

// Job is an order to replay history, a record of the control topic.
type Job struct {
	ID    string   `json:"job"`
	State JobState `json:"state"`
	Emit  JobEmit  `json:"emit"`
	// Ranges are the places to read, none under EmitAll.
	Ranges []JobRange `json:"ranges,omitempty"`
	// From and To bound, of EmitAll, when the traits' values were seen, ms since
	// 1970; of the others they are what Ranges were made of. 0: no bound; To is exclusive.
	From int64 `json:"from,omitempty"`
	To   int64 `json:"to,omitempty"`
	// Identity, Users and Splits are whom and which flags it is about; empty: all.
	Identity string   `json:"identity,omitempty"`
	Users    []string `json:"users,omitempty"`
	Splits   []string `json:"splits,omitempty"`
	// Generation is that of the definitions, under EmitDefine.
	Generation uint32 `json:"generation,omitempty"`
	// Rate bounds how many records a second are taken by all tasks together; 0: no bound.
	Rate   int64  `json:"rate,omitempty"`
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
	// Error tells why a job has failed.
	Error string `json:"error,omitempty"`
	// Created and Changed are ms since 1970.
	Created int64 `json:"created"`
	Changed int64 `json:"changed"`
}

// JobRange is a part of a source partition, To exclusive.
type JobRange struct {
	Topic     string `json:"topic"`
	TopicID   string `json:"topic_id,omitempty"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
}

// Compare orders ranges by where they lie.
func (r JobRange) Compare(o JobRange) int {
	return cmp.Or(cmp.Compare(r.Topic, o.Topic), cmp.Compare(r.Partition, o.Partition), cmp.Compare(r.From, o.From))
}

// Key returns the key of the job's record.
func (j *Job) Key() []byte { return ControlKey(replayKind, j.ID) }

// Value returns the value of the job's record.
func (j *Job) Value() []byte { return mustJSON(j) }

// Compare orders jobs by when they were created.
func (j *Job) Compare(o *Job) int {
	return cmp.Or(cmp.Compare(j.Created, o.Created), cmp.Compare(j.ID, o.ID))
}

// Share returns the ranges that a task reads, of tasks in all: those of the
// partitions of its number and of partitions beyond the tasks.
func (j *Job) Share(task, tasks int32) []JobRange {
	var ranges []JobRange
	for _, r := range j.Ranges {
		if r.Partition%tasks == task {
			ranges = append(ranges, r)
		}
	}
	return ranges
}

// ParseJob reads a record of the control topic. It returns false for one of
// another kind; an error is one that this release can't read.
func ParseJob(key, value []byte) (j Job, ok bool, err error) {
	k, ok := parseControlKey(key)
	if !ok || k.Kind != replayKind || value == nil {
		return j, false, nil
	}
	if err := json.Unmarshal(value, &j); err != nil {
		return j, true, fmt.Errorf("reading replay job %s: %w", k.Name, err)
	}
	return j, true, j.check(k.Name)
}

func (j *Job) check(name string) error {
	states := []JobState{JobRunning, JobPaused, JobCancelled, JobDone, JobFailed}
	emits := []JobEmit{EmitChanges, EmitAll, EmitNone, EmitDefine}
	if j.ID != name || !slices.Contains(states, j.State) || !slices.Contains(emits, j.Emit) {
		return fmt.Errorf("reading replay job %s: state %q or emit %q is not of this release", name, j.State, j.Emit)
	}
	for _, r := range j.Ranges {
		if r.Partition < 0 || r.From < 0 || r.To < r.From {
			return fmt.Errorf("reading replay job %s: no range: %s, partition %d, %d to %d", name, r.Topic, r.Partition, r.From, r.To)
		}
	}
	return nil
}

// JobReport tells how far a task is with a job. It is a record of the control
// topic, written after what it tells of has committed.
type JobReport struct {
	ID   string `json:"job"`
	Task int32  `json:"task"`
	JobCounts
	// Total is how many offsets the task has to read; under EmitAll 0, since nobody knows.
	Total int64 `json:"total"`
	Done  bool  `json:"done"`
	// Switched says, under EmitDefine, that the definitions are in force.
	Switched bool `json:"switched,omitempty"`
	// Waits is since when live impressions, which go first, leave no room for the job,
	// ms since 1970; 0: they do.
	Waits int64 `json:"waits,omitempty"`
	// Error is what keeps the task from going on with the job for good; empty: nothing.
	Error string `json:"error,omitempty"`
	At    int64  `json:"at"` // ms since 1970
}

// JobCounts are what a task has done for a job.
type JobCounts struct {
	Read      int64 `json:"read"`      // offsets of history, or traits under EmitAll
	Gone      int64 `json:"gone"`      // offsets among them that the source's retention has removed
	Forwarded int64 `json:"forwarded"` // impressions sent on to the task of their user
	Merged    int64 `json:"merged"`    // impressions, forwarded ones included
	Sent      int64 `json:"sent"`      // changes
}

// Key returns the key of the report's record.
func (r *JobReport) Key() []byte {
	return ControlKey(replayReportKind, r.ID+"/"+strconv.Itoa(int(r.Task)))
}

// Value returns the value of the report's record.
func (r *JobReport) Value() []byte { return mustJSON(r) }

// ParseJobReport reads a record of the control topic. It returns false for one of
// another kind, or of a release that wrote it otherwise.
func ParseJobReport(key, value []byte) (r JobReport, ok bool) {
	k, ok := parseControlKey(key)
	if !ok || k.Kind != replayReportKind || value == nil {
		return r, false
	}
	return r, json.Unmarshal(value, &r) == nil && r.Task >= 0
}

// JobProgress is how far a task is with a job. It lies in changelog and store, and
// commits with what was done.
type JobProgress struct {
	Next   []int64 `json:"next,omitempty"`   // the offset to go on from, of each range of the task's share
	Behind []byte  `json:"behind,omitempty"` // under EmitAll, the state key to go on behind
	Done   bool    `json:"done,omitempty"`
	JobCounts
}

// AppendJobKey appends the key of a task's progress with a job, in changelog and
// store.
func AppendJobKey(dst []byte, id string) []byte { return append(append(dst, jobKey), id...) }

// ParseJobKey reads it. It is false for any other key.
func ParseJobKey(key []byte) (id string, ok bool) {
	if len(key) < 2 || key[0] != jobKey {
		return "", false
	}
	return string(key[1:]), true
}

// AppendJobProgress appends a task's progress: version, and JSON.
func AppendJobProgress(dst []byte, p *JobProgress) []byte {
	return append(append(dst, taskRecordVersion), mustJSON(p)...)
}

// DecodeJobProgress reads a task's progress. One of a newer release is a
// [*VersionError].
func DecodeJobProgress(b []byte) (p JobProgress, err error) {
	in, err := taskRecord(b)
	if err != nil {
		return p, err
	}
	if json.Unmarshal(in.rest, &p) != nil {
		return JobProgress{}, errTaskRecord
	}
	return p, nil
}

// mustJSON encodes what has no way to fail: texts, numbers and lists of them.
func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("schemas: " + err.Error())
	}
	return text
}
