package processor

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/schemas"
	"traitstream/trait"
)

// generation is one of the definitions as the process knows it.
type generation struct {
	record schemas.Definitions
	traits []trait.Definition
	set    *trait.Set
	rules  string // the hash under which the control topic has them as rules; empty: not yet
}

// takeDefinitions takes a record of the control topic, if it is one of definitions.
func (j *jobs) takeDefinitions(r *kgo.Record) error {
	d, ok, err := schemas.ParseDefinitions(r.Key, r.Value)
	if err != nil || !ok {
		return err
	}
	j.changes++
	if known := j.generations[d.Generation]; known != nil && known.record.Hash == d.Hash {
		known.record = d
		return nil
	}
	g := &generation{record: d}
	if g.traits, g.set, err = config.ParseDefinitions(d.Traits); err != nil {
		return fmt.Errorf("reading generation %d of the definitions: %w", d.Generation, err)
	}
	j.generations[d.Generation] = g
	return nil
}

// definitionsOf returns the definitions of a generation. Those that the process has
// begun with need not be known to the control topic.
func (o *Options) definitionsOf(ctx context.Context, number uint32) (*trait.Set, error) {
	if number == o.Generation {
		return o.Traits, nil
	}
	// Where the topic was created again, others may be about to write them down anew.
	for until := time.Now().Add(lagInterval + lastReports); ; {
		if g := o.jobs.generation(number); g != nil {
			return g.set, nil
		}
		if err := o.readJobs(ctx); err != nil {
			return nil, err
		}
		if o.jobs.generation(number) == nil && (!time.Now().Before(until) || !sleep(ctx, busyJobsInterval)) {
			break
		}
	}
	return nil, fmt.Errorf("generation %d of the definitions, by which tasks are computed, is not in %s: %w", number, o.Topics.Control.Name, errUnknownGeneration)
}

func (j *jobs) generation(number uint32) *generation {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.generations[number]
}

// expires tells whether traits expire by any of the definitions, of which tasks here may
// be computed by.
func (j *jobs) expires() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, g := range j.generations {
		if g.record.State != schemas.DefinitionsCancelled && g.set.LeastExpiry() > 0 {
			return true
		}
	}
	return false
}

// rulesOf returns the hash under which the control topic has a generation as rules,
// empty where it does not have it yet.
func (o *Options) rulesOf(number uint32) string {
	if number == o.Generation {
		return o.rules.hash
	}
	o.jobs.mu.Lock()
	defer o.jobs.mu.Unlock()
	if g := o.jobs.generations[number]; g != nil {
		return g.rules
	}
	return ""
}

// publishGenerations sees to it that the control topic has the rules of generations
// that tasks go over to.
func (o *Options) publishGenerations(ctx context.Context) error {
	for _, g := range o.jobs.unpublished() {
		c := *o.Config
		c.Traits, c.Set = g.traits, g.set
		hash, err := o.publish(ctx, &c)
		if err != nil {
			return err
		}
		o.jobs.mu.Lock()
		g.rules = hash
		o.jobs.mu.Unlock()
	}
	return nil
}

func (j *jobs) unpublished() (all []*generation) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, g := range j.generations {
		state := g.record.State
		if g.rules == "" && (state == schemas.DefinitionsSwitching || state == schemas.DefinitionsInForce) {
			all = append(all, g)
		}
	}
	return all
}

// goOver takes a job that computes definitions further: when all tasks have read
// their history, they are told to go over; when all have, the definitions are in force.
func (p *Processor) goOver(ctx context.Context, job *schemas.Job) error {
	if _, next := p.o.jobs.step(job.Generation, p.o.Topics.Tasks); next == nil {
		return nil
	}
	return p.o.transact(ctx, p.o.Connect, func() ([]*kgo.Record, error) {
		if err := p.o.readJobs(ctx); err != nil {
			return nil, err
		}
		job, next := p.o.jobs.step(job.Generation, p.o.Topics.Tasks)
		switch {
		case next == nil: // it was given up, or another one has done it
			return nil, nil
		case next.State == schemas.DefinitionsSwitching:
			p.o.Log.Info("all history is read; the tasks go over to other definitions", "generation", next.Generation)
			return append(p.o.commands(schemas.Switch, next.Generation), p.o.controlRecords(next, nil)...), nil
		}
		p.o.Log.Info("other definitions are in force", "generation", next.Generation)
		job.State, job.Changed = schemas.JobDone, next.Changed
		return p.o.controlRecords(next, job), nil
	})
}

// step returns the running job that computes a generation, and what the generation is next
// when all tasks have read their history, nil while there is nothing to do.
func (j *jobs) step(number uint32, tasks int32) (*schemas.Job, *schemas.Definitions) {
	j.mu.Lock()
	defer j.mu.Unlock()
	g, job := j.generations[number], j.known[schemas.DefinitionsJob(number)]
	if g == nil || job == nil || job.State.Over() {
		return nil, nil
	}
	over, next := *job, g.record
	next.Changed = time.Now().UnixMilli()
	switch {
	case j.switched(job.ID, tasks):
		next.State = schemas.DefinitionsInForce
	case next.State == schemas.DefinitionsPreparing:
		next.State = schemas.DefinitionsSwitching
	default:
		return &over, nil
	}
	return &over, &next
}

// switched tells whether all tasks have gone over.
func (j *jobs) switched(id string, tasks int32) bool {
	for task := range tasks {
		if !j.reports[shareKey{id, task}].Switched {
			return false
		}
	}
	return true
}

// commands are the records that tell all tasks something about definitions.
func (o *Options) commands(kind schemas.CommandKind, number uint32) (all []*kgo.Record) {
	headers := fleet.RecordHeaders(schemas.Command{Kind: kind, Generation: number}.Headers())
	for task := range o.Topics.Tasks {
		all = append(all, &kgo.Record{Topic: o.Topics.Inbox.Name, Partition: task, Headers: headers, Timestamp: time.Now()})
	}
	return all
}
