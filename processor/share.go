package processor

import (
	"time"

	"traitstream/impression"
	"traitstream/schemas"
)

// again says of a record that a job has read it again.
type again struct {
	replayed bool
	quiet    bool   // it sends nothing
	defines  bool   // it is for definitions that are on their way
	share    *share // of the task that has it
}

// share is a task's part of a job.
type share struct {
	job      *schemas.Job
	task     *task
	wanted   selection
	ranges   []schemas.JobRange
	progress schemas.JobProgress
	changed  bool // progress is to be logged
	reader   *historian
	switched bool      // under EmitDefine, the definitions are in force
	stored   bool      // under EmitAll, what was waiting for the store is there
	rests    time.Time // under EmitAll, until then
	failed   string    // why it can't go on for good
	waits    int64     // since when live impressions leave no room, ms since 1970; 0: they do
}

// again says of a record that it was read for the share, if there is one.
func (s *share) again() again {
	if s == nil {
		return again{}
	}
	return again{replayed: true, quiet: s.job.Emit == schemas.EmitNone, defines: s.job.Emit == schemas.EmitDefine, share: s}
}

// merged, forwarded and sent count, where there is a share.
func (s *share) merged() {
	if s != nil {
		s.progress.Merged++
		s.changed = true
	}
}

func (s *share) forwarded() {
	if s != nil {
		s.progress.Forwarded++
	}
}

func (s *share) sent(n int64) {
	if s != nil {
		s.progress.Sent += n
		s.changed = true
	}
}

// reads tells whether there is history left to read.
func (s *share) reads() bool {
	return s.job.State == schemas.JobRunning && s.job.Emit != schemas.EmitAll && !s.progress.Done && s.failed == ""
}

func (s *share) report() schemas.JobReport {
	r := schemas.JobReport{
		ID: s.job.ID, Task: s.task.number, JobCounts: s.progress.JobCounts, Done: s.progress.Done,
		Switched: s.switched, Waits: s.waits, Error: s.failed, At: time.Now().UnixMilli(),
	}
	for _, of := range s.ranges {
		r.Total += of.To - of.From
	}
	if s.job.Emit == schemas.EmitDefine && s.progress.Done { // what it had to read is not kept any more
		r.Total = s.progress.Read
	}
	return r
}

// selection is whom and which flags a job is about; an empty set is all.
type selection struct {
	identity      string
	users, splits map[string]struct{}
}

func selectionOf(j *schemas.Job) selection {
	set := func(texts []string) map[string]struct{} {
		all := map[string]struct{}{}
		for _, t := range texts {
			all[t] = struct{}{}
		}
		return all
	}
	return selection{j.Identity, set(j.Users), set(j.Splits)}
}

// has tells whether a trait or an impression is wanted.
func (s *selection) has(identity impression.Identity, user, flag []byte) bool {
	if s.identity != "" && s.identity != identity.String() {
		return false
	}
	if _, ok := s.users[string(user)]; !ok && len(s.users) > 0 {
		return false
	}
	_, ok := s.splits[string(flag)]
	return ok || len(s.splits) == 0
}

// halt has the reader end, if there is one. What it may still hand over is not
// taken.
func (s *share) halt() {
	if s.reader != nil {
		s.reader.cancel()
		s.reader = nil
	}
}

// finish notes that all of the ranges was read, if so.
func (s *share) finish() {
	if s.job.Emit == schemas.EmitAll || s.progress.Done {
		return
	}
	for i, of := range s.ranges {
		if s.progress.Next[i] < of.To {
			return
		}
	}
	s.progress.Done, s.changed = true, true
	s.halt()
}
