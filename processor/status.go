package processor

import (
	"cmp"
	"slices"
	"time"
)

// TaskStatus tells how a task of this process stands.
type TaskStatus struct {
	Task   int32
	Worker int
	Ready  bool // its state is restored and its inputs are read
	// Restored of Total changelog offsets are done of the restore that began at
	// Since; all are zero where none runs.
	Restored, Total int64
	Since           time.Time
}

// InForce returns the generation of the definitions in force, and their hash, as far
// as the process has heard; false where it has heard of none.
func (p *Processor) InForce() (generation uint32, hash string, ok bool) {
	d, ok := InForce(p.o.jobs.records())
	return d.Generation, d.Hash, ok
}

// Tasks tells how the tasks stand that the group has given to this process, by
// number.
func (p *Processor) Tasks() []TaskStatus {
	var all []TaskStatus
	for _, w := range p.workers {
		w.tasks.each(func(number int32, ready bool) {
			all = append(all, TaskStatus{Task: number, Worker: w.number, Ready: ready})
		})
	}
	p.restorer.mu.Lock()
	defer p.restorer.mu.Unlock()
	for i := range all {
		if r := p.restorer.going[all[i].Task]; r != nil && !all[i].Ready {
			all[i].Restored, all[i].Total, all[i].Since = r.next.Load()-r.from, r.end-r.from, r.began
		}
	}
	slices.SortFunc(all, func(a, b TaskStatus) int { return cmp.Compare(a.Task, b.Task) })
	return all
}
