package processor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
)

// errUnknownGeneration says what to do about definitions that nobody knows any more.
var errUnknownGeneration = errors.New("was that topic deleted? With the configuration's traits as they were last put in force, " +
	"`traitstream definitions recover` writes them down again, and nothing is lost")

// ErrNothingLost says that there is nothing to recover.
var ErrNothingLost = errors.New("nothing is to be recovered: the definitions of every task are there")

// follow goes on with another control topic, where that was deleted and created again.
// What is known of it and not over is to be told to the new one.
func (j *jobs) follow(o *Options, id string, end int64) {
	another := j.next > end // where brokers tell no ids; with one, an end may be older than next
	if j.topic != "" && id != "" {
		another = j.topic != id
	}
	if !another {
		j.topic = id
		return
	}
	j.lose(o.Topics.Control.Name)
	j.topic, j.next, j.reports = id, 0, map[shareKey]schemas.JobReport{}
	j.changes++
	o.Client.PurgeTopicsFromProducing(o.Topics.Control.Name) // it would not take to the new id by itself
	if o.Log != nil {                                        // a command tells what it finds
		o.Log.Warn("the control topic was deleted and created again; what is known of definitions and jobs is written to it anew",
			"topic", o.Topics.Control.Name)
	}
}

// lose notes what a control topic had.
func (j *jobs) lose(topic string) {
	had := func(key, value []byte) { j.lost[string(key)] = &kgo.Record{Topic: topic, Key: key, Value: value} }
	for _, g := range j.generations {
		g.rules = "" // they are to be published again
		had(g.record.Key(), g.record.Value())
	}
	for _, job := range j.known {
		if !job.State.Over() || job.Emit == schemas.EmitDefine {
			had(job.Key(), job.Value())
		}
	}
}

// retell writes what the control topic has lost, whoever comes first, and nothing over
// what others have written since.
func (o *Options) retell(ctx context.Context) error {
	if len(o.jobs.toRetell()) == 0 {
		return nil
	}
	return o.transact(ctx, o.Connect, func() ([]*kgo.Record, error) {
		if err := o.readJobs(ctx); err != nil {
			return nil, err
		}
		return o.jobs.toRetell(), nil
	})
}

// toRetell are the records that the control topic has lost.
func (j *jobs) toRetell() []*kgo.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.SortedFunc(maps.Values(j.lost), func(a, b *kgo.Record) int { return slices.Compare(a.Key, b.Key) })
}

// retold waits for processes that run to write down anew what a control topic had that was
// deleted. Where nobody has ever run, or for long enough nobody has written anything, it is
// nil.
func (j *Jobs) retold(ctx context.Context) ([]schemas.Definitions, error) {
	switch committed, err := j.o.Committed(ctx, nil); {
	case err != nil:
		return nil, fmt.Errorf("looking up whether group %s has ever read anything: %w", j.o.Config.Group(), kafka.Explain(err))
	case len(committed) == 0:
		return nil, nil
	}
	for until := time.Now().Add(lagInterval + lastReports); time.Now().Before(until) && sleep(ctx, busyJobsInterval); {
		if all, err := j.Generations(ctx); err != nil || len(all) > 0 {
			return all, err
		}
	}
	return nil, ctx.Err()
}

// unlost is an error where the control topic has never had anything and the changelog has:
// a process writes definitions down before anything else.
func (o *Options) unlost(ctx context.Context) error {
	if _, end, err := o.LogRange(ctx, o.Topics.Control.Name, 0); err != nil || end > 0 {
		return err
	}
	for task := range o.Topics.Tasks {
		start, end, err := o.changelogRange(ctx, task)
		if err != nil {
			return err
		}
		if end > start {
			return fmt.Errorf("topic %s is empty, and nobody knows by which definitions %s was made: %w",
				o.Topics.Control.Name, o.Topics.Changelog.Name, errUnknownGeneration)
		}
	}
	return nil
}

// Recover writes definitions down as those of the generations that tasks are computed by
// and that the control topic does not have any more, and returns their numbers. Whoever
// asks says that they are what was in force: tasks go on by them as they are. What was on
// its way is given up.
func (j *Jobs) Recover(ctx context.Context, connect []kgo.Opt, r DefineRequest) (numbers []uint32, err error) {
	err = j.o.transact(ctx, connect, func() (records []*kgo.Record, err error) {
		lost, err := j.lost(ctx)
		if err != nil {
			return nil, err
		}
		now := time.Now().UnixMilli()
		d := schemas.Definitions{Reason: r.Reason, By: r.By, Created: now, Changed: now}
		if d.Traits, d.Hash, err = config.Definitions(r.Traits); err != nil {
			return nil, err
		}
		numbers = slices.Sorted(maps.Keys(lost))
		for _, number := range numbers {
			d.Generation, d.Base, d.State = number, number, schemas.DefinitionsCancelled
			if lost[number] {
				d.State = schemas.DefinitionsInForce
			}
			records = append(records, j.o.controlRecords(&d, nil)...)
			if number > 0 { // no task is ever on the way to the first
				records = append(records, j.o.commands(schemas.Undefine, number)...)
			}
		}
		return records, nil
	})
	return numbers, err
}

// Lost returns the generations that tasks are computed by, or are on the way to, and that
// the control topic does not have. It reads the changelog as a whole. It is
// [ErrNothingLost] where there are none.
func (j *Jobs) Lost(ctx context.Context) ([]uint32, error) {
	lost, err := j.lost(ctx)
	return slices.Sorted(maps.Keys(lost)), err
}

// lost is Lost, with whether tasks are computed by a generation, or will be whatever comes.
func (j *Jobs) lost(ctx context.Context) (map[uint32]bool, error) {
	all, err := j.Generations(ctx)
	if err != nil {
		return nil, err
	}
	used := map[uint32]bool{}
	for task := range j.o.Topics.Tasks {
		if err := j.o.unheard(ctx, task, used); err != nil {
			return nil, err
		}
		d, made, err := j.o.taskDefinitions(ctx, task)
		if err != nil {
			return nil, err
		}
		if made {
			used[d.Generation] = true
		}
		if d.Phase != schemas.Steady && d.Next > 0 {
			used[d.Next] = used[d.Next] || d.Phase == schemas.Replacing
		}
	}
	for _, d := range all {
		delete(used, d.Generation)
	}
	if len(used) == 0 {
		return nil, ErrNothingLost
	}
	return used, nil
}

// unheard notes the generations that a task has yet to hear of in its inbox, and whether
// it is told to go over to them.
func (o *Options) unheard(ctx context.Context, task int32, used map[uint32]bool) error {
	inbox := o.Topics.Inbox.Name
	heard, err := kafka.StableOffsets(ctx, o.Client, o.Config.Group(), map[string][]int32{inbox: {task}})
	if err != nil {
		return err
	}
	start, end, err := o.LogRange(ctx, inbox, task)
	if err != nil {
		return err
	}
	return kafka.ReadPartition(ctx, o.Client, inbox, task, max(start, heard[inbox][task]), end, func(r *kgo.Record) error {
		if !schemas.IsDefining(header(r, schemas.HeaderKind)) {
			return nil
		}
		c, err := schemas.ParseCommand(fleet.HeadersOf(r))
		if err == nil && c.Kind != schemas.Undefine {
			used[c.Generation] = used[c.Generation] || c.Kind == schemas.Switch
		}
		return nil // tasks pass over what they can't read
	})
}

// taskDefinitions returns the definitions of a task by what its changelog has, which are
// the first ones where it does not say, and whether it has anything.
func (o *Options) taskDefinitions(ctx context.Context, task int32) (last schemas.TaskDefinitions, made bool, err error) {
	start, end, err := o.changelogRange(ctx, task)
	if err != nil {
		return last, false, err
	}
	err = kafka.ReadPartition(ctx, o.Client, o.Topics.Changelog.Name, task, start, end, func(r *kgo.Record) error {
		if !schemas.IsDefinitionsKey(r.Key) || r.Value == nil {
			return nil
		}
		last, err = schemas.DecodeTaskDefinitions(r.Value)
		return err
	})
	return last, end > start, err
}
