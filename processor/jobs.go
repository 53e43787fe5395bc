package processor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
)

const (
	// busyJobsInterval is how often the control topic is looked at while there are
	// jobs; else it is lagInterval.
	busyJobsInterval = time.Second
	// lastReports is how long others get to report what a job has come to.
	lastReports = 2 * busyJobsInterval
	// keepJobs is how long a job is kept that is over.
	keepJobs = 90 * 24 * time.Hour
)

// jobs are the replay jobs of the control topic as this process knows them, and
// what it has to report of them.
type jobs struct {
	mu      sync.Mutex
	topic   string // the control topic's id, where brokers tell one
	next    int64  // where to go on in it
	reads   int    // of the control topic, whole
	changes int    // of the jobs
	known   map[string]*schemas.Job
	reports map[shareKey]schemas.JobReport // that the control topic has
	// generations are the definitions that the control topic has, or had.
	generations map[uint32]*generation
	lost        map[string]*kgo.Record         // what a control topic had that was deleted, by key
	ours        map[shareKey]schemas.JobReport // of tasks that are here
}

// closing is a job that all tasks have done their part of.
type closing struct {
	inbox *fleet.Waiting // for what was forwarded
	since time.Time      // when that was merged; zero: it is not
}

// shareKey names a task's part of a job.
type shareKey struct {
	job  string
	task int32
}

func newJobs() *jobs {
	return &jobs{
		known: map[string]*schemas.Job{}, reports: map[shareKey]schemas.JobReport{}, generations: map[uint32]*generation{},
		ours: map[shareKey]schemas.JobReport{}, lost: map[string]*kgo.Record{},
	}
}

// list returns the jobs, oldest first, with how often they have changed and been
// read.
func (j *jobs) list() (all []*schemas.Job, changes, reads int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return sorted(j.known), j.changes, j.reads
}

// sorted returns jobs, oldest first.
func sorted(known map[string]*schemas.Job) []*schemas.Job {
	return slices.SortedFunc(maps.Values(known), (*schemas.Job).Compare)
}

// state tells how often the jobs have changed and been read.
func (j *jobs) state() (changes, reads int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changes, j.reads
}

// take takes a record of the control topic.
func (j *jobs) take(r *kgo.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r.Offset < j.next { // another one who reads has been here
		return nil
	}
	if err := j.takeNew(r); err != nil {
		return err
	}
	j.next = r.Offset + 1
	return nil
}

func (j *jobs) takeNew(r *kgo.Record) error {
	delete(j.lost, string(r.Key))
	if r.Value == nil {
		maps.DeleteFunc(j.known, func(_ string, job *schemas.Job) bool { return bytes.Equal(job.Key(), r.Key) })
		maps.DeleteFunc(j.reports, func(_ shareKey, report schemas.JobReport) bool { return bytes.Equal(report.Key(), r.Key) })
		return nil
	}
	if report, ok := schemas.ParseJobReport(r.Key, r.Value); ok {
		j.reports[shareKey{report.ID, report.Task}] = report
		return nil
	}
	job, ok, err := schemas.ParseJob(r.Key, r.Value)
	if err != nil {
		return err
	}
	if !ok {
		return j.takeDefinitions(r)
	}
	j.changes++
	j.known[job.ID] = &job
	return nil
}

// tell notes how far a task is with a job. What it tells has committed.
func (j *jobs) tell(r schemas.JobReport) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ours[shareKey{r.ID, r.Task}] = r
}

// watchJobs keeps up with the control topic until ctx ends: it learns of jobs,
// reports how far the tasks here are, and ends jobs that are done.
func (p *Processor) watchJobs(ctx context.Context) {
	for wait := time.Duration(0); sleep(ctx, wait); {
		err := p.lookAtJobs(ctx)
		if wait = lagInterval; p.o.jobs.busy() {
			wait = busyJobsInterval
		}
		if err != nil && ctx.Err() == nil && !kafka.IsNetwork(err) { // watch tells of that
			p.o.Log.Warn("looking after replay jobs", "error", kafka.Explain(err))
		}
	}
}

// busy tells whether a job is not over.
func (j *jobs) busy() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, job := range j.known {
		if !job.State.Over() {
			return true
		}
	}
	return false
}

func (p *Processor) lookAtJobs(ctx context.Context) error {
	if err := p.o.readJobs(ctx); err != nil {
		return err
	}
	if err := errors.Join(p.o.retell(ctx), p.o.publishGenerations(ctx)); err != nil {
		return err
	}
	numbers, control := p.numbers(), p.o.Topics.Control.Name
	records := p.o.jobs.news(control, numbers)
	first := slices.Contains(numbers, 0) // whoever has that task does what is to be done once
	if first {
		records = append(records, p.o.jobs.outdated(control, time.Now())...)
	}
	if err := p.o.put(ctx, records...); err != nil {
		return fmt.Errorf("reporting to %s: %w", control, err)
	}
	if first {
		return p.endJobs(ctx)
	}
	return nil
}

// readJobs takes what is new in the control topic.
func (o *Options) readJobs(ctx context.Context) error {
	if err := o.readControl(ctx); err != nil {
		return fmt.Errorf("reading %s: %w", o.Topics.Control.Name, kafka.Explain(err))
	}
	return nil
}

func (o *Options) readControl(ctx context.Context) error {
	id, err := o.TopicID(ctx, o.Topics.Control.Name)
	if err != nil {
		return err
	}
	start, end, err := o.LogRange(ctx, o.Topics.Control.Name, 0)
	if err != nil {
		return err
	}
	j := o.jobs
	j.mu.Lock()
	j.follow(o, id, end)
	from := max(j.next, start)
	j.mu.Unlock()
	if err := kafka.ReadPartition(ctx, o.Client, o.Topics.Control.Name, 0, from, end, j.take); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.topic == id { // else another reader has found the topic created again
		j.next = max(j.next, end)
	}
	j.reads++
	return nil
}

// news returns the reports that the control topic lacks, of some tasks. Of a job
// that is over they are the last.
func (j *jobs) news(topic string, tasks []int32) []*kgo.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	var records []*kgo.Record
	for key, r := range j.ours {
		before, told := j.reports[key]
		job := j.known[key.job]
		before.At = r.At
		switch {
		case job == nil || !slices.Contains(tasks, key.task):
			delete(j.ours, key)
		case !told || before != r:
			records = append(records, &kgo.Record{Topic: topic, Key: r.Key(), Value: r.Value()})
		case job.State.Over():
			delete(j.ours, key)
		}
	}
	return records
}

// outdated removes jobs from the control topic that were over long ago, and what was
// reported of them.
func (j *jobs) outdated(topic string, now time.Time) []*kgo.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	var records []*kgo.Record
	old := func(id string) bool {
		job := j.known[id]
		return job != nil && job.Emit != schemas.EmitDefine && job.State.Over() && now.Sub(time.UnixMilli(job.Changed)) > keepJobs
	}
	for key, r := range j.reports {
		if old(key.job) {
			records = append(records, &kgo.Record{Topic: topic, Key: r.Key()})
		}
	}
	for id, job := range j.known {
		if old(id) {
			records = append(records, &kgo.Record{Topic: topic, Key: job.Key()})
		}
	}
	return records
}

// finished are the running jobs of which all tasks have done their part.
func (j *jobs) finished(tasks int32) (all []*schemas.Job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, job := range sorted(j.known) {
		done := int32(0)
		for task := range tasks {
			if j.reports[shareKey{job.ID, task}].Done {
				done++
			}
		}
		if job.State == schemas.JobRunning && done == tasks {
			all = append(all, job)
		}
	}
	return all
}

// failed are the running jobs that a task can't go on with, with the cause.
func (j *jobs) failed() map[string]string {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := map[string]string{}
	for key, r := range j.reports {
		if job := j.known[key.job]; r.Error != "" && job != nil && !job.State.Over() {
			all[key.job] = r.Error
		}
	}
	return all
}

// failJobs ends the jobs that can't go on.
func (p *Processor) failJobs(ctx context.Context) error {
	for id, cause := range p.o.jobs.failed() {
		_, err := p.o.changeJob(ctx, p.o.Connect, id, func(job *schemas.Job) bool {
			job.State, job.Error = schemas.JobFailed, cause
			return true
		})
		if err != nil {
			return fmt.Errorf("ending replay job %s: %w", id, err)
		}
		p.o.Log.Error("a replay has failed", "job", id, "cause", cause)
	}
	return nil
}

// endJobs ends the jobs of which all was read, and all that was forwarded is
// merged, and those that can't go on.
func (p *Processor) endJobs(ctx context.Context) error {
	if err := p.failJobs(ctx); err != nil {
		return err
	}
	for _, job := range p.o.jobs.finished(p.o.Topics.Tasks) {
		if job.Emit == schemas.EmitDefine {
			if err := p.goOver(ctx, job); err != nil {
				return err
			}
			continue
		}
		closed, err := p.closed(ctx, job)
		if err != nil {
			return err
		}
		if !closed {
			continue
		}
		over, err := p.o.changeJob(ctx, p.o.Connect, job.ID, func(job *schemas.Job) bool {
			job.State = schemas.JobDone
			return true
		})
		if err != nil {
			return fmt.Errorf("ending replay job %s: %w", job.ID, err)
		}
		delete(p.closing, job.ID)
		p.o.Log.Info("a replay is over", "job", job.ID, "state", string(over.State))
	}
	return nil
}

// changeJob changes a job as it is by then, unless it is over, and returns what it has
// come to. Two who change it do so one after the other: what is over stays over.
func (o *Options) changeJob(ctx context.Context, connect []kgo.Opt, id string, change func(*schemas.Job) bool) (*schemas.Job, error) {
	var job schemas.Job
	err := o.transact(ctx, connect, func() ([]*kgo.Record, error) {
		if err := o.readJobs(ctx); err != nil {
			return nil, err
		}
		known := o.jobs.job(id)
		if known == nil {
			return nil, fmt.Errorf("the job is gone from %s", o.Topics.Control.Name)
		}
		if job = *known; job.State.Over() || !change(&job) {
			return nil, nil
		}
		job.Changed = time.Now().UnixMilli()
		return []*kgo.Record{{Topic: o.Topics.Control.Name, Key: job.Key(), Value: job.Value()}}, nil
	})
	return &job, err
}

func (j *jobs) job(id string) *schemas.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.known[id]
}

// closed tells whether all that a job has forwarded is merged, and others have had
// time to report it.
func (p *Processor) closed(ctx context.Context, job *schemas.Job) (bool, error) {
	c := p.closing[job.ID]
	if c == nil {
		c = &closing{inbox: p.o.Wait(p.o.Topics.Inbox.Name)}
		p.closing[job.ID] = c
	}
	if done, err := c.inbox.Look(ctx); err != nil || !done {
		return false, err
	}
	if c.since.IsZero() {
		c.since = time.Now()
	}
	return time.Since(c.since) >= lastReports, nil
}
