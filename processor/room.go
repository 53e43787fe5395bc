package processor

import (
	"time"

	"traitstream/schemas"
)

// longWait is how long jobs may wait for live impressions until it is told.
const longWait = 10 * time.Second

// roomless is since when live impressions have left a worker no room for jobs.
type roomless struct {
	since time.Time // zero: they leave it
	last  time.Time // when it was looked at
	told  int64     // what others were told of it, ms since 1970; 0: that there is room
}

// noRoom notes that live impressions leave no room for what is to be done for jobs.
func (w *worker) noRoom(now time.Time) {
	r := &w.replays.waiting
	if r.since.IsZero() {
		r.since, r.last = now, now
	}
	w.o.Metrics.waited.Add(now.Sub(r.last).Seconds())
	r.last = now
}

// tellOfRoom tells when live impressions have left no room for jobs for long, and when
// they do again. They go first: how long the jobs may wait is for people to decide.
func (w *worker) tellOfRoom(now time.Time) {
	r, since := &w.replays.waiting, int64(0)
	if len(w.replays.shares) == 0 {
		r.since = time.Time{}
	}
	if !r.since.IsZero() && now.Sub(r.since) >= longWait {
		since = r.since.UnixMilli()
	}
	if since == r.told {
		return
	}
	if r.told = since; since > 0 {
		w.o.Log.Warn("history waits for live impressions, which go first: are there enough processes?", "worker", w.number, "since", r.since)
	} else {
		w.o.Log.Info("live impressions leave room for history again", "worker", w.number)
	}
	for _, s := range w.replays.shares {
		s.waits = 0
		if s.waitsForRoom() {
			s.waits = since
		}
		if !s.changed {
			w.o.jobs.tell(s.report())
		}
	}
}

// waitsForRoom tells whether something is left to be done for a share.
func (s *share) waitsForRoom() bool {
	return s.job.State == schemas.JobRunning && (!s.progress.Done || s.job.Emit == schemas.EmitDefine && !s.switched)
}
