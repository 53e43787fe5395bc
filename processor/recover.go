package processor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/schemas"
)

// errUnknownGeneration says what to do about definitions that nobody knows any more.
var errUnknownGeneration = errors.New("was that topic deleted? With the configuration's traits as they were last put in force, " +
	"`traitstream definitions recover` writes them down again, and nothing is lost")

// ErrNothingLost says that there is nothing to recover.
var ErrNothingLost = errors.New("nothing is to be recovered: the definitions of every task are there")

// partitionsOf returns how many partitions a topic has.
func (o *Options) partitionsOf(ctx context.Context, topic string) (int32, error) {
	topics, err := kadm.NewClient(o.Client).ListTopics(ctx, topic)
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("looking up %s: %w", topic, err)
	}
	return int32(len(topics[topic].Partitions)), nil
}

// idOf returns the id of a topic, empty where the brokers tell none.
func (o *Options) idOf(ctx context.Context, topic string) (string, error) {
	topics, err := kadm.NewClient(o.Client).ListTopics(ctx, topic)
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return "", fmt.Errorf("looking up %s: %w", topic, err)
	}
	if id := topics[topic].ID; id != (kadm.TopicID{}) {
		return id.String(), nil
	}
	return "", nil
}

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

// toRetell are the records that the control topic has lost.
func (j *jobs) toRetell() []*kgo.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.SortedFunc(maps.Values(j.lost), func(a, b *kgo.Record) int { return slices.Compare(a.Key, b.Key) })
}

// Recover writes definitions down as those of the generations that tasks are computed by
// and that the control topic does not have any more, and returns their numbers. Whoever
// asks says that they are what was in force: tasks go on by them as they are. What was on
// its way is given up.
func (j *Jobs) Recover(ctx context.Context, connect []kgo.Opt, r DefineRequest) (lost []uint32, err error) {
	err = j.o.transact(ctx, connect, func() (records []*kgo.Record, err error) {
		if lost, err = j.Lost(ctx); err != nil {
			return nil, err
		}
		now := time.Now().UnixMilli()
		d := schemas.Definitions{State: schemas.DefinitionsInForce, Reason: r.Reason, By: r.By, Created: now, Changed: now}
		if d.Traits, d.Hash, err = config.Definitions(r.Traits); err != nil {
			return nil, err
		}
		for _, number := range lost {
			d.Generation, d.Base = number, number
			records = append(records, j.o.controlRecords(&d, nil)...)
			records = append(records, j.o.commands(schemas.Undefine, number)...)
		}
		return records, nil
	})
	return lost, err
}

// Lost returns the generations that tasks are computed by, or are on the way to, and that
// the control topic does not have. It reads the changelog as a whole. It is
// [ErrNothingLost] where there are none.
func (j *Jobs) Lost(ctx context.Context) ([]uint32, error) {
	all, err := j.Generations(ctx)
	if err != nil {
		return nil, err
	}
	used := map[uint32]bool{}
	for task := range j.o.Topics.Tasks {
		d, err := j.o.taskDefinitions(ctx, task)
		if err != nil {
			return nil, err
		}
		if d != nil {
			used[d.Generation] = true
		}
		if d != nil && d.Phase != schemas.Steady && d.Next > 0 {
			used[d.Next] = true
		}
	}
	for _, d := range all {
		delete(used, d.Generation)
	}
	if len(used) == 0 {
		return nil, ErrNothingLost
	}
	return slices.Sorted(maps.Keys(used)), nil
}

// taskDefinitions returns the definitions of a task by what its changelog has; nil where
// that has none.
func (o *Options) taskDefinitions(ctx context.Context, task int32) (last *schemas.TaskDefinitions, err error) {
	start, end, err := o.changelogRange(ctx, task)
	if err != nil {
		return nil, err
	}
	err = kafka.ReadPartition(ctx, o.Client, o.Topics.Changelog.Name, task, start, end, func(r *kgo.Record) error {
		if !schemas.IsDefinitionsKey(r.Key) || r.Value == nil {
			return nil
		}
		d, err := schemas.DecodeTaskDefinitions(r.Value)
		last = &d
		return err
	})
	return last, err
}
