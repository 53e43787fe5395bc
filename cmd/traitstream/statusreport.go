package main

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"traitstream/fleet"
	"traitstream/kafka"
)

// statusReport is what status says; as JSON it is the line behind those of the
// tasks.
type statusReport struct {
	App     string      `json:"app"`
	Started bool        `json:"started"` // false: no process has run yet
	Missing []string    `json:"missing"` // topics of the program that are not there though others are
	Group   groupReport `json:"group"`
	Count   int         `json:"tasks"`
	Owned   int         `json:"owned"`     // tasks that a member has
	Behind  int         `json:"restoring"` // tasks, as far as their processes are reached
	lagReport
	// Beyond are the partitions of sources that have more of them than there are
	// tasks. What lies in them is forwarded.
	Beyond  []inputReport  `json:"beyond"`
	Letters *lettersReport `json:"dead_letters"` // null: not counted

	tasks  []taskReport
	looked bool // at the group and its inputs, of which the inbox is one
}

// groupReport is what is known of the group.
type groupReport struct {
	State     string   `json:"state"` // as Kafka calls it
	Workers   int      `json:"workers"`
	Processes int      `json:"processes"` // that the workers belong to; 0 in a rebalance, as it is not told
	Unreached []string `json:"unreached"` // processes that did not say how they stand
}

// lagReport tells how far behind something is.
type lagReport struct {
	LagRecords int64   `json:"lag_records"`
	LagSeconds float64 `json:"lag_seconds"` // the age of the oldest unprocessed record; 0: caught up
}

// add takes in what is behind too.
func (l *lagReport) add(other lagReport) {
	l.LagRecords += other.LagRecords
	l.LagSeconds = max(l.LagSeconds, other.LagSeconds)
}

// ownerReport is the worker that has a task.
type ownerReport struct {
	Process string `json:"process"`
	Worker  int    `json:"worker"`
	Host    string `json:"host"`
	HTTP    string `json:"http"` // empty: not told
}

// taskReport is a line about a task.
type taskReport struct {
	Task  int32        `json:"task"`
	Owner *ownerReport `json:"owner"` // null: nobody, or not known in a rebalance
	State string       `json:"state"` // running, restoring, unknown or stopped
	lagReport
	Restore *restoreStatus `json:"restore"` // null: none is known to be under way
	Inputs  []inputReport  `json:"inputs"`
}

// inputReport is how far the group is with a partition.
type inputReport struct {
	Topic       string `json:"topic"`
	Partition   int32  `json:"partition"`
	Committed   *int64 `json:"committed"` // null: nothing
	CommittedBy string `json:"committed_by"`
	End         int64  `json:"end"`
	lagReport
	Owner *ownerReport `json:"owner,omitempty"` // of a partition beyond the tasks
}

func newStatusReport(app string, topics *kafka.Topics) *statusReport {
	r := &statusReport{
		App: app, Count: int(topics.Tasks), Missing: []string{},
		Group: groupReport{State: groupDead, Unreached: []string{}}, Beyond: []inputReport{},
		tasks: newTaskReports(topics),
	}
	// Dead letters alone are import's.
	r.Started = !topics.Traits.Missing || !topics.Changelog.Missing || !topics.Inbox.Missing
	for _, own := range []kafka.Topic{topics.Traits, topics.Changelog, topics.Inbox, topics.DeadLetters} {
		if own.Missing && r.Started {
			r.Missing = append(r.Missing, own.Name)
		}
	}
	return r
}

// newTaskReports returns the tasks as they are before anybody has them.
func newTaskReports(topics *kafka.Topics) []taskReport {
	tasks := make([]taskReport, topics.Tasks)
	for i := range tasks {
		tasks[i] = taskReport{Task: int32(i), State: stateStopped, Inputs: []inputReport{}}
	}
	return tasks
}

// fill takes in what was found out about a group whose inbox is the topic that
// its tasks go by.
func (r *statusReport) fill(inbox string, g *membership, inputs []fleet.Input, answers map[string]processStatus, now time.Time) {
	r.looked = true
	r.Group.State, r.Group.Workers = g.state, len(g.members)
	if !g.rebalancing() {
		r.Group.Processes, r.Group.Unreached = g.processes(), g.unreached(answers)
	}
	for _, in := range inputs {
		report := newInputReport(in, now)
		r.add(report.lagReport)
		if int(in.Partition) >= len(r.tasks) {
			report.Owner = g.owner(place{in.Topic, in.Partition})
			r.Beyond = append(r.Beyond, report)
			continue
		}
		task := &r.tasks[in.Partition]
		task.add(report.lagReport)
		task.Inputs = append(task.Inputs, report)
	}
	for i := range r.tasks {
		r.tasks[i].own(g, g.owner(place{inbox, int32(i)}), answers)
		if r.tasks[i].Owner != nil {
			r.Owned++
		}
		if r.tasks[i].State == stateRestoring {
			r.Behind++
		}
	}
}

// own tells who has the task and what that one says of it.
func (t *taskReport) own(g *membership, owner *ownerReport, answers map[string]processStatus) {
	t.Owner = owner
	switch {
	case owner != nil:
		t.State = stateUnknown
		for _, s := range answers[owner.Process].Tasks {
			if s.Task == t.Task {
				t.State = s.State
				if s.State == stateRestoring {
					t.Restore = &s.restoreStatus
				}
			}
		}
	case g.rebalancing():
		t.State = stateUnknown
	}
}

// owner returns who has a partition, or nil.
func (g *membership) owner(p place) *ownerReport {
	m, ok := g.owners[p]
	if !ok {
		return nil
	}
	return &ownerReport{Process: m.Process, Worker: m.Worker, Host: m.host, HTTP: m.HTTP}
}

// unreached returns the processes that did not answer.
func (g *membership) unreached(answers map[string]processStatus) []string {
	names := map[string]bool{}
	for _, m := range g.members {
		if _, ok := answers[m.Process]; !ok {
			names[m.Process] = true
		}
	}
	return append([]string{}, slices.Sorted(maps.Keys(names))...)
}

func newInputReport(in fleet.Input, now time.Time) inputReport {
	r := inputReport{Topic: in.Topic, Partition: in.Partition, CommittedBy: in.Note.Owner, End: in.End}
	if in.Committed >= 0 {
		r.Committed = &in.Committed
	}
	if r.LagRecords = in.Lag; in.Lag > 0 {
		r.LagSeconds = max(0, now.Sub(in.Oldest).Seconds())
	}
	return r
}

// mostFirst returns the words that were counted, the most frequent first.
func mostFirst(counts map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
}
