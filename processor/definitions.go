package processor

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
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
	for range 2 {
		if g := o.jobs.generation(number); g != nil {
			return g.set, nil
		}
		if err := o.readJobs(ctx); err != nil {
			return nil, fmt.Errorf("reading %s: %w", o.Topics.Control.Name, err)
		}
	}
	return nil, fmt.Errorf("generation %d of the definitions is not in %s", number, o.Topics.Control.Name)
}

func (j *jobs) generation(number uint32) *generation {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.generations[number]
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
	g := p.o.jobs.generation(job.Generation)
	if g == nil {
		return fmt.Errorf("job %s has no definitions in %s", job.ID, p.o.Topics.Control.Name)
	}
	next := g.record
	next.Changed = time.Now().UnixMilli()
	if !p.o.jobs.switched(job.ID, p.o.Topics.Tasks) {
		if next.State == schemas.DefinitionsSwitching {
			return nil
		}
		next.State = schemas.DefinitionsSwitching
		records := append(p.o.commands(schemas.Switch, job.Generation), &kgo.Record{Topic: p.o.Topics.Control.Name, Key: next.Key(), Value: next.Value()})
		p.o.Log.Info("all history is read; the tasks go over to other definitions", "generation", job.Generation)
		return p.o.transact(ctx, p.o.Connect, records)
	}
	next.State = schemas.DefinitionsInForce
	over := *job
	over.State, over.Changed = schemas.JobDone, next.Changed
	p.o.Log.Info("other definitions are in force", "generation", job.Generation)
	return p.o.put(ctx,
		&kgo.Record{Topic: p.o.Topics.Control.Name, Key: next.Key(), Value: next.Value()},
		&kgo.Record{Topic: p.o.Topics.Control.Name, Key: over.Key(), Value: over.Value()})
}

// switched tells whether all tasks have gone over.
func (j *jobs) switched(id string, tasks int32) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for task := range tasks {
		if !j.reports[shareKey{id, task}].Switched {
			return false
		}
	}
	return true
}

// commands are the records that tell all tasks something about definitions.
func (o *Options) commands(kind schemas.CommandKind, number uint32) (all []*kgo.Record) {
	headers := kafkaHeaders(schemas.Command{Kind: kind, Generation: number}.Headers())
	for task := range o.Topics.Tasks {
		all = append(all, &kgo.Record{Topic: o.Topics.Inbox.Name, Partition: task, Headers: headers, Timestamp: time.Now()})
	}
	return all
}
