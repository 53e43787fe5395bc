package processor

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"traitstream/impression"
	"traitstream/schemas"
)

const (
	// replayTurn bounds how long live impressions wait for history.
	replayTurn = 20 * time.Millisecond
	// behindRecords and behindTime are how far a task is behind when history waits
	// for it.
	behindRecords = 1000
	behindTime    = 10 * time.Second
	// replayRest is how long a worker waits that could do nothing for the jobs.
	replayRest = 100 * time.Millisecond
	// eagerPoll is how long a poll waits for live impressions while history is there.
	eagerPoll = time.Millisecond
	// readsUntilKnown is how often the control topic is read until a job that it does
	// not have is known to be none.
	readsUntilKnown = 2
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
	return s.job.State == schemas.JobRunning && s.job.Emit != schemas.EmitAll && !s.progress.Done
}

func (s *share) report() schemas.JobReport {
	r := schemas.JobReport{
		ID: s.job.ID, Task: s.task.number, JobCounts: s.progress.JobCounts, Done: s.progress.Done,
		Switched: s.switched, At: time.Now().UnixMilli(),
	}
	for _, of := range s.ranges {
		r.Total += of.To - of.From
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

// halt has the reader end, if there is one. What it may still hand over is not
// taken.
func (s *share) halt() {
	if s.reader != nil {
		s.reader.cancel()
		s.reader = nil
	}
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
	if kept, ok := r.kept[key]; ok && len(kept.Next) == len(s.ranges) {
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
	s.finish()
	r.shares[key] = s
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

// inOrder are the shares, those of older jobs first.
func (r *replays) inOrder() []*share {
	return slices.SortedFunc(maps.Values(r.shares), func(a, b *share) int {
		return cmp.Or(a.job.Compare(b.job), cmp.Compare(a.task.number, b.task.number))
	})
}

// startReaders has one task's history read for each job.
func (w *worker) startReaders() {
	r := w.replays
	if len(r.shares) == 0 {
		return
	}
	busy, here := map[string]bool{}, map[string]int{}
	for _, s := range r.shares {
		busy[s.job.ID] = busy[s.job.ID] || s.reader != nil
		here[s.job.ID]++
	}
	for _, s := range r.inOrder() {
		if id := s.job.ID; s.reads() && !busy[id] && w.canPlace(s.task) {
			busy[id] = true
			h := w.newHistorian(s, float64(s.job.Rate)*float64(here[id])/float64(w.o.Topics.Tasks))
			s.reader = h
			r.reading.Go(h.run)
		}
	}
}

// leavesRoom tells whether live impressions leave room for history.
func (w *worker) leavesRoom() bool {
	if w.batch.count > w.limit/2 {
		return false
	}
	for number, of := range w.removals {
		t := of.task
		if w.tasks.owns(number) == t && t.behind.Load() > behindRecords && time.Since(time.UnixMilli(t.waits.Load())) > behindTime {
			return false
		}
	}
	return true
}

// replayWaits tells whether there is something to do for a job.
func (w *worker) replayWaits() bool {
	r := w.replays
	return !time.Now().Before(r.rests) && (len(r.ready) > 0 || w.unlogged() || w.toResend() != nil || w.toReplace() != nil) && w.leavesRoom()
}

// unlogged tells whether what the changelog knows of jobs has to change, and can.
func (w *worker) unlogged() bool {
	for _, s := range w.replays.shares {
		if s.changed && w.canPlace(s.task) {
			return true
		}
	}
	return slices.ContainsFunc(w.replays.over, func(key shareKey) bool {
		t := w.tasks.owns(key.task)
		return t != nil && w.canPlace(t)
	})
}

// replay does something for the jobs, where live impressions leave room.
func (w *worker) replay() error {
	if !w.replayWaits() {
		return nil
	}
	err := w.replayNow()
	if !w.replays.touched { // a rebalance is under way, or brokers are away
		w.replays.rests = time.Now().Add(replayRest)
	}
	return err
}

func (w *worker) replayNow() error {
	// A poll that came to nothing may have let rebalances go on.
	if w.batch.count == 0 && !w.seat.blockRebalance() {
		return nil
	}
	w.replays.touched = w.unlogged()
	records := 0
	for until := time.Now().Add(replayTurn); ; {
		select {
		case h := <-w.replays.ready:
			records += len(h.records)
			if err := w.mergeHistory(h); err != nil {
				return err
			}
		default:
			if p := w.toReplace(); p != nil {
				return w.replaceSome(p)
			}
			return w.resend()
		}
		if w.batch.count > 0 || records >= w.limit || !time.Now().Before(until) {
			return nil
		}
	}
}

// mergeHistory merges what a reader has handed over. It commits with the progress.
func (w *worker) mergeHistory(h history) error {
	s := h.reader.share
	if s.reader != h.reader {
		return nil // halted since
	}
	if p := w.plans[s.task.number]; !w.hasPlace(s.task) || s.job.Emit == schemas.EmitDefine && (p == nil || p.Phase != schemas.Shadowing) {
		s.halt() // another one reads it again
		return nil
	}
	w.in.replaying = s
	err := w.process(h.records)
	w.in.replaying = nil
	if err != nil {
		return err
	}
	p := &s.progress
	p.Read += h.next - p.Next[h.place]
	p.Gone += h.gone
	p.Next[h.place] = h.next
	s.changed, w.replays.touched = true, true
	s.finish()
	return nil
}

// logProgress makes what was done for jobs a part of the transaction.
func (w *worker) logProgress() {
	r := w.replays
	for key, s := range r.shares {
		if s.changed && w.hasPlace(s.task) {
			w.state.Set(key.task, schemas.AppendJobKey(nil, key.job), schemas.AppendJobProgress(nil, &s.progress))
			s.changed = false
			r.kept[key] = s.progress
			r.logged = append(r.logged, s)
		}
	}
	for _, key := range r.over {
		if t := w.tasks.owns(key.task); t != nil && w.hasPlace(t) {
			w.state.Set(key.task, schemas.AppendJobKey(nil, key.job), nil)
		}
	}
	r.over = slices.DeleteFunc(r.over, func(key shareKey) bool {
		t := w.tasks.owns(key.task)
		return t == nil || w.canPlace(t)
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
