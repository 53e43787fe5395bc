package main

import (
	"fmt"
	"sync"
	"time"

	"traitstream/processor"
)

// restoration knows how far the state of a process's tasks is restored, from
// the first of them that is behind to the last. What is done counts on until
// all are: else the share would fall, and the rate, with every task that is
// ready. Several may look at a time.
type restoration struct {
	tasks func() []processor.TaskStatus
	now   func() time.Time

	mu    sync.Mutex
	began time.Time
	parts map[int32]processor.TaskStatus // by task; Restored is Total where it is done
}

func newRestoration(tasks func() []processor.TaskStatus) *restoration {
	return &restoration{tasks: tasks, now: time.Now, parts: map[int32]processor.TaskStatus{}}
}

// restoring is how far a restoration is, in changelog offsets.
type restoring struct {
	owned, behind int // tasks
	done, total   int64
	rate          float64 // offsets/s of all tasks together; 0: not known yet
}

// look returns the tasks of the process, and how far they are together.
func (r *restoration) look() ([]processor.TaskStatus, restoring) {
	tasks := r.tasks()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := restoring{owned: len(tasks)}
	here := make(map[int32]processor.TaskStatus, len(tasks))
	for _, t := range tasks {
		if !t.Ready {
			s.behind++
		}
		part, begun := r.parts[t.Task]
		switch {
		case t.Total > 0:
			part = t
		case begun:
			part.Restored = part.Total
		default:
			continue
		}
		here[t.Task] = part
		s.done, s.total = s.done+part.Restored, s.total+part.Total
		if r.began.IsZero() || part.Since.Before(r.began) {
			r.began = part.Since
		}
	}
	r.parts = here
	if s.behind == 0 {
		clear(r.parts)
		r.began = time.Time{}
		return tasks, restoring{owned: s.owned}
	}
	s.rate = perSecond(s.done, r.now().Sub(r.began))
	return tasks, s
}

func perSecond(n int64, took time.Duration) float64 {
	if n <= 0 || took <= 0 {
		return 0
	}
	return float64(n) / took.Seconds()
}

// left returns how long the rest takes at a rate; -1 is not known.
func left(rest int64, rate float64) time.Duration {
	if rate <= 0 {
		return -1
	}
	return time.Duration(float64(rest) / rate * float64(time.Second))
}

// sentence tells it in words.
func (s restoring) sentence() string {
	text := fmt.Sprintf("restoring %d of %d tasks", s.behind, s.owned)
	if s.total == 0 {
		return text
	}
	text += fmt.Sprintf(": %s of %s offsets", humanCount(s.done), humanCount(s.total))
	if wait := left(s.total-s.done, s.rate); wait >= 0 {
		text += fmt.Sprintf(", about %s left", humanWait(wait))
	}
	return text
}

// reading is for a meter; false is nothing to restore.
func (r *restoration) reading() (reading, bool) {
	_, s := r.look()
	if s.total == 0 {
		return reading{}, false
	}
	read := reading{
		done: s.done, total: s.total,
		doing: fmt.Sprintf("restoring %d of %d tasks", s.behind, s.owned),
		words: fmt.Sprintf("%s of %s offsets  %s/s", humanCount(s.done), humanCount(s.total), humanCount(int64(s.rate))),
		attributes: []any{
			"tasks", s.behind, "owned", s.owned, "done", s.done, "of", s.total, "per_second", int64(s.rate),
		},
	}
	if wait := left(s.total-s.done, s.rate); wait >= 0 {
		read.words += "  " + humanWait(wait) + " left"
		read.attributes = append(read.attributes, "left", humanWait(wait))
	}
	return read, true
}
