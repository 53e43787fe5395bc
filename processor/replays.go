package processor

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"traitstream/schemas"
)

// replays are a worker's shares of jobs.
type replays struct {
	shares  map[shareKey]*share
	early   map[shareKey]*share              // what came before its job was known here: it only counts
	kept    map[shareKey]schemas.JobProgress // what changelog and store have
	over    []shareKey                       // of kept, to be removed
	asOf    map[int32]int                    // how often jobs had been read when a task came
	changes int                              // of the jobs when they were last followed
	reads   int
	stale   bool      // tasks have come since
	touched bool      // the batch has done something for a job
	rests   time.Time // until then, since nothing could be done
	waiting roomless
	logged  []*share
	ready   chan history
	ctx     context.Context //nolint:containedctx // of the readers, which live as long as the seat
	cancel  context.CancelFunc
	reading sync.WaitGroup
}

func newReplays() *replays {
	ctx, cancel := context.WithCancel(context.Background())
	return &replays{
		shares: map[shareKey]*share{}, early: map[shareKey]*share{}, kept: map[shareKey]schemas.JobProgress{}, asOf: map[int32]int{},
		ready: make(chan history, 1), ctx: ctx, cancel: cancel,
	}
}

// counts returns where to count what was forwarded for a share; nowhere in a
// restore, whose reading was counted before.
func (r *replays) counts(key shareKey) *share {
	if r == nil {
		return nil
	}
	if s := r.shares[key]; s != nil {
		return s
	}
	if r.early[key] == nil {
		r.early[key] = &share{job: &schemas.Job{ID: key.job}}
	}
	return r.early[key]
}

// close ends the readers.
func (r *replays) close() {
	r.cancel()
	r.reading.Wait()
}

// comes takes what the restore of a task has found.
func (r *replays) comes(t *task, j *jobs) {
	r.goes(t.number)
	for id, p := range t.removals.progress {
		r.kept[shareKey{id, t.number}] = p
	}
	_, r.asOf[t.number] = j.state()
	r.stale = true
}

// goes forgets a task.
func (r *replays) goes(number int32) {
	for key, s := range r.shares {
		if key.task == number {
			s.halt()
			delete(r.shares, key)
		}
	}
	maps.DeleteFunc(r.kept, func(key shareKey, _ schemas.JobProgress) bool { return key.task == number })
	maps.DeleteFunc(r.early, func(key shareKey, _ *share) bool { return key.task == number })
	r.over = slices.DeleteFunc(r.over, func(key shareKey) bool { return key.task == number })
}

// followJobs brings the shares in line with the jobs and the tasks that are here. It
// comes between two transactions.
func (w *worker) followJobs() error {
	r := w.replays
	for key, s := range r.shares {
		if w.tasks.owns(key.task) != s.task {
			r.goes(key.task)
		}
	}
	changes, reads := w.o.jobs.state()
	if changes != r.changes || r.stale || reads != r.reads && len(r.kept) > 0 {
		w.shareJobs()
	}
	w.tellOfRoom(time.Now())
	r.tell(w.o.jobs) // what a restore has found has committed
	w.startReaders()
	return cmp.Or(w.storeForResend(), w.storeForReplace())
}

// shareJobs takes the part of the tasks here in each job, and gives up that in those
// that are over.
func (w *worker) shareJobs() {
	r := w.replays
	jobs, changes, reads := w.o.jobs.list()
	r.changes, r.reads, r.stale = changes, reads, false
	going := map[string]bool{}
	for _, job := range jobs {
		if going[job.ID] = !job.State.Over(); !going[job.ID] {
			maps.DeleteFunc(r.early, func(key shareKey, _ *share) bool { return key.job == job.ID })
			continue
		}
		for number, of := range w.removals {
			if w.tasks.owns(number) == of.task {
				w.takeShare(job, of.task)
			}
		}
	}
	for key, s := range r.shares {
		if !going[key.job] {
			s.halt()
			delete(r.shares, key)
		}
	}
	for key := range r.kept {
		known := slices.ContainsFunc(jobs, func(j *schemas.Job) bool { return j.ID == key.job })
		if !going[key.job] && (known || reads >= r.asOf[key.task]+readsUntilKnown) {
			r.over = append(r.over, key)
			delete(r.kept, key)
		}
	}
}

// takeShare takes a task's part in a job, and reports what has committed of it.
func (w *worker) takeShare(job *schemas.Job, t *task) {
	if job.Emit == schemas.EmitDefine {
		w.takeDefinitions(job, t)
	} else {
		w.replays.take(job, t, job.Share(t.number, w.o.Topics.Tasks))
	}
	if s := w.replays.shares[shareKey{job.ID, t.number}]; s != nil && !s.changed {
		w.o.jobs.tell(s.report())
	}
}

// takeDefinitions takes a task's part in a job that computes definitions. It has none
// before it has heard of them.
func (w *worker) takeDefinitions(job *schemas.Job, t *task) {
	r := w.replays
	var d schemas.TaskDefinitions
	if p := w.plans[t.number]; p != nil {
		d = p.TaskDefinitions
	} else {
		d.Generation = w.o.Generation
	}
	if d.Generation < job.Generation && d.Next != job.Generation {
		return
	}
	r.take(job, t, d.History)
	s := r.shares[shareKey{job.ID, t.number}]
	if done := d.Phase != schemas.Shadowing; done && !s.progress.Done {
		s.progress.Done, s.changed = true, true
	}
	if switched := d.Phase == schemas.Steady; switched != s.switched {
		s.switched, s.changed = switched, true
	}
}

// take takes a task's part in a job, or what has changed of the job.
func (r *replays) take(job *schemas.Job, t *task, ranges []schemas.JobRange) {
	key := shareKey{job.ID, t.number}
	if s := r.shares[key]; s != nil {
		if s.job = job; job.State != schemas.JobRunning {
			s.halt()
		}
		return
	}
	s := &share{job: job, task: t, wanted: selectionOf(job), ranges: ranges}
	if kept, ok := r.kept[key]; ok && (kept.Done || len(kept.Next) == len(s.ranges)) {
		s.progress = kept
		s.progress.Next = slices.Clone(kept.Next)
	} else {
		for _, of := range s.ranges {
			s.progress.Next = append(s.progress.Next, of.From)
		}
		s.changed = true // others may want to see that it is known
	}
	if e := r.early[key]; e != nil {
		s.progress.Merged += e.progress.Merged
		s.sent(e.progress.Sent)
		delete(r.early, key)
	}
	if s.waitsForRoom() {
		s.waits = r.waiting.told
	}
	s.finish()
	r.shares[key] = s
}

// inOrder are the shares, those of older jobs first.
func (r *replays) inOrder() []*share {
	return slices.SortedFunc(maps.Values(r.shares), func(a, b *share) int {
		return cmp.Or(a.job.Compare(b.job), cmp.Compare(a.task.number, b.task.number))
	})
}

// tell reports what has committed.
func (r *replays) tell(j *jobs) {
	for _, s := range r.logged {
		if !s.changed {
			j.tell(s.report())
		}
	}
	r.logged = r.logged[:0]
}
