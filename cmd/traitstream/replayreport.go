package main

import (
	"fmt"
	"time"

	"traitstream/processor"
	"traitstream/schemas"
)

// jobReport is a replay job as the commands print it.
type jobReport struct {
	Job       string           `json:"job"`
	State     schemas.JobState `json:"state"`
	Emit      schemas.JobEmit  `json:"emit"`
	Created   time.Time        `json:"created"`
	Changed   time.Time        `json:"changed"` // when it got its state
	By        string           `json:"by"`
	Reason    string           `json:"reason"`
	From      *time.Time       `json:"from"`
	To        *time.Time       `json:"to"`
	Identity  *string          `json:"identity"` // null: both
	Users     []string         `json:"users"`    // none: all
	Splits    []string         `json:"splits"`   // none: all
	Rate      int64            `json:"rate"`     // records a second; 0: no bound
	Tasks     int32            `json:"tasks"`
	TasksDone int32            `json:"tasks_done"`
	Total     int64            `json:"total"` // offsets to read; with emit all 0, since nobody knows
	schemas.JobCounts
	Percent     int64    `json:"percent"`
	SecondsLeft *float64 `json:"seconds_left"` // null: not known, or nothing is under way
	// WaitsSince is since when live impressions leave a task no room for it, if they do not.
	WaitsSince *time.Time `json:"waits_since,omitempty"`
	Error      string     `json:"error,omitempty"` // why it has failed
}

func newJobReport(s *processor.JobStatus) jobReport {
	j := &s.Job
	r := jobReport{
		Job: j.ID, State: j.State, Emit: j.Emit, Created: time.UnixMilli(j.Created).UTC(), Changed: time.UnixMilli(j.Changed).UTC(),
		By: j.By, Reason: j.Reason, Users: append([]string{}, j.Users...), Splits: append([]string{}, j.Splits...),
		Rate: j.Rate, Tasks: s.Tasks, Error: j.Error,
	}
	if j.From > 0 {
		r.From = timeOrNone(j.From)
	}
	if j.To > 0 {
		r.To = timeOrNone(j.To)
	}
	if j.Identity != "" {
		r.Identity = &j.Identity
	}
	for _, of := range j.Ranges {
		r.Total += of.To - of.From
	}
	for i := range s.Reports {
		r.count(&s.Reports[i])
	}
	if at := waitsSince(s); at > 0 {
		r.WaitsSince = timeOrNone(at)
	}
	r.Percent = hundredths(r.Read, r.Total)
	if j.Emit == schemas.EmitAll {
		r.Percent = hundredths(int64(r.TasksDone), int64(r.Tasks))
	}
	if wait := sinceItBegan(s, &r); wait >= 0 {
		seconds := wait.Seconds()
		r.SecondsLeft = &seconds
	}
	return r
}

// waitsSince returns since when live impressions leave a task no room for a job, in ms;
// 0: they do, or nothing is under way.
func waitsSince(s *processor.JobStatus) (since int64) {
	if s.Job.State != schemas.JobRunning {
		return 0
	}
	for _, of := range s.Reports {
		if of.Waits > 0 && (since == 0 || of.Waits < since) {
			since = of.Waits
		}
	}
	return since
}

// waitsFor says so in words.
func waitsFor(since time.Time) string {
	return "waiting for live impressions since " + when(since.UnixMilli())
}

// count adds what a task has done.
func (r *jobReport) count(of *schemas.JobReport) {
	r.Read += of.Read
	r.Gone += of.Gone
	r.Forwarded += of.Forwarded
	r.Merged += of.Merged
	r.Sent += of.Sent
	if of.Done {
		r.TasksDone++
	}
}

// hundredths returns a part in hundredths, which are 100 at its end alone.
func hundredths(part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	return part * 100 / whole
}

// sinceItBegan returns how long the rest takes at the rate of a job that never
// rested; -1 is not known.
func sinceItBegan(s *processor.JobStatus, r *jobReport) time.Duration {
	last := int64(0)
	for _, of := range s.Reports {
		last = max(last, of.At)
	}
	if r.State != schemas.JobRunning || !r.Created.Equal(r.Changed) || r.Total == 0 {
		return -1
	}
	return left(r.Total-r.Read, perSecond(r.Read, time.UnixMilli(last).Sub(r.Created)))
}

// progress tells how far a job is in a few words.
func (r *jobReport) progress() string {
	text := fmt.Sprintf("%d %%", r.Percent)
	if r.SecondsLeft != nil && !r.State.Over() {
		text += ", about " + humanWait(time.Duration(*r.SecondsLeft*float64(time.Second))) + " left"
	}
	return text
}

// counts tells what a job has done so far.
func (r *jobReport) counts() string {
	if r.Emit == schemas.EmitAll {
		return fmt.Sprintf("%s looked at, %d sent again", plural(int(r.Read), "trait", "traits"), r.Sent)
	}
	text := fmt.Sprintf("%s read, %d merged, %d forwarded, %s sent",
		plural(int(r.Read), "offset", "offsets"), r.Merged, r.Forwarded, plural(int(r.Sent), "change", "changes"))
	if r.Gone > 0 {
		text += fmt.Sprintf("; of the offsets retention has removed %d meanwhile", r.Gone)
	}
	return text
}

// whom tells whose traits a job is about, and of which flags.
func whom(j *schemas.Job) string {
	who, flags := "all users", "all flags"
	if len(j.Users) > 0 {
		who = named(j.Users, "user", "users")
	}
	if j.Identity != "" {
		who += fmt.Sprintf(" (%s)", j.Identity)
	}
	if len(j.Splits) > 0 {
		flags = named(j.Splits, "flag", "flags")
	}
	return who + ", " + flags
}

// shownNames is how many of many names are told.
const shownNames = 5

// named tells some names, of which there is at least one.
func named(names []string, one, more string) string {
	text := one
	if len(names) > 1 {
		text = more
	}
	for i, name := range names {
		if i == shownNames {
			return text + fmt.Sprintf(" and %d more", len(names)-i)
		}
		if i > 0 {
			text += ","
		}
		text += " " + printable(name)
	}
	return text
}

// whatIsSent tells what a job sends.
func whatIsSent(emit schemas.JobEmit) string {
	switch emit {
	case schemas.EmitAll:
		return "the last change of each trait again, as it was (all)"
	case schemas.EmitNone:
		return "nothing: state alone is filled (none)"
	}
	return "what differs from the last change that was sent (changes)"
}

// when tells a time in ms.
func when(ms int64) string { return moment(time.UnixMilli(ms)) }
