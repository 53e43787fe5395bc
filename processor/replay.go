package processor

import (
	"slices"
	"time"

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

// replayWaits tells whether there is something to do for a job, and room for it.
func (w *worker) replayWaits() bool { return w.wantsRoom() && w.leavesRoom() }

// wantsRoom tells whether there is something to do for a job.
func (w *worker) wantsRoom() bool {
	r := w.replays
	return !time.Now().Before(r.rests) && (len(r.ready) > 0 || w.unlogged() || w.toResend() != nil || w.toReplace() != nil)
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
	if !w.wantsRoom() {
		return nil
	}
	if !w.leavesRoom() {
		w.noRoom(time.Now())
		return nil
	}
	w.replays.waiting.since = time.Time{}
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
	if h.failed != "" {
		s.failed, s.changed, w.replays.touched = h.failed, true, true
		s.halt()
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
