package verify

import (
	"context"
	"fmt"
	"hash/maphash"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// readChangelog reads the changelog of the pass's tasks.
func (p *pass) readChangelog(ctx context.Context) error {
	if p.o.Store != nil {
		for _, task := range p.tasks {
			cp, ok, err := p.o.Store.Checkpoint(task)
			if err != nil {
				return err
			}
			if ok {
				p.checkpoints[task] = cp
			}
		}
	}
	if err := p.readTopic(ctx, p.o.Topics.Changelog.Name, p.cut.changelog, p.logged); err != nil {
		return err
	}
	for _, task := range p.tasks {
		for _, d := range p.shards[task].foreign {
			p.differRecord(d)
		}
	}
	return nil
}

// readTopic reads the pass's tasks of an output. A task has one reader.
func (p *pass) readTopic(ctx context.Context, topic string, logs map[int32]kafka.Span, fn func(*kgo.Record) error) error {
	ours := map[int32]kafka.Span{}
	for _, task := range p.tasks {
		ours[task] = logs[task]
	}
	return kafka.ReadLogs(ctx, p.o.Client, topic, ours, p.readers, p.counter(StageOutputs).follow, fn)
}

// logged takes a record of the changelog.
func (p *pass) logged(r *kgo.Record) error {
	if schemas.IsTaskKey(r.Key) {
		p.taskRecord(r)
		return nil
	}
	key, err := schemas.DecodeStateKey(r.Key)
	if err != nil {
		p.shards[r.Partition].takeForeign(r, err)
		return nil
	}
	if task := kafka.Partition(key.User, p.o.Topics.Tasks); task != r.Partition {
		p.misplaced(r, key, task)
		return nil
	}
	if _, _, shadow := trait.Unshadow(key.Trait); shadow {
		return nil // of definitions that are on their way
	}
	ev := p.of(p.shards[r.Partition], r.Key)
	if ev == nil {
		return nil
	}
	ev.record, ev.cause, ev.fault, ev.unreadable = string(r.Value), -1, nil, false // the last record counts alone
	var rec trait.Record
	if r.Value != nil {
		if err := schemas.DecodeRecord(r.Value, &rec); err != nil {
			fault := at(r, WrongRecord, err.Error())
			ev.record, ev.fault, ev.unreadable = "", &fault, true
		}
	}
	if rec.Emitted.Sent {
		ev.cause = rec.Emitted.Facts.Place.Offset
	}
	ev.local.logged(r.Offset < p.checkpoints[r.Partition].Next, r.Value, p.seed)
	return nil
}

// takeForeign takes a record whose key is none. A later one that removes it makes
// it good, as it does for a restore.
func (s *shard) takeForeign(r *kgo.Record, cause error) {
	if r.Value == nil {
		delete(s.foreign, string(r.Key))
		return
	}
	if s.foreign == nil {
		s.foreign = map[string]Difference{}
	}
	s.foreign[string(r.Key)] = at(r, WrongRecord, fmt.Sprintf("%v (key %q)", cause, r.Key))
}

// logged takes a record of the changelog before or after the checkpoint.
func (l *local) logged(before bool, value []byte, seed maphash.Seed) {
	switch {
	case !before:
		l.newer = true
	case value == nil:
		l.is = removed
	default:
		l.is, l.sum = present, maphash.Bytes(seed, value)
	}
}

// misplaced notes a record that stands in another partition than its user's.
// Nothing else is made of it.
func (p *pass) misplaced(r *kgo.Record, k trait.Key, task int32) {
	d := at(r, WrongPartition, fmt.Sprintf("it stands in partition %d, its user belongs to %d", r.Partition, task))
	d.Identity, d.User, d.Trait = k.Identity.String(), string(k.User), string(k.Trait)
	p.differRecord(d)
}

// at begins a difference in a record.
func at(r *kgo.Record, kind Kind, what string) Difference {
	return Difference{
		Kind: kind, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Message: fmt.Sprintf("%s %d@%d: %s", r.Topic, r.Partition, r.Offset, what),
	}
}
