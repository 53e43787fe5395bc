package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
)

// cut is what a look compares: how much of the inputs must be in the outputs,
// how much may be, and where the outputs end.
type cut struct {
	inputs    map[partition]*input
	pending   map[oracle.Place]bool // forwarded, and perhaps not merged yet
	unlogged  map[oracle.Place]bool // forwarded and merged, but perhaps not in the changelog
	marks     map[partition]int64   // behind these, what moves no more than a time may not be in the changelog
	changelog map[int32]kafka.Span  // by task
	traits    map[int32]kafka.Span  // by task
	changed   bool                  // impressions were read by other rules before
	quietLost *job                  // has read, and sent nothing, of what retention has removed; nil: none
}

type partition struct {
	topic  string
	number int32
}

// cutTries is how often a cut is taken anew since the group has emptied the
// inbox of what was about to be read.
const cutTries = 10

var errTrimmed = errors.New("the inbox was emptied meanwhile")

// cut takes a cut for some tasks. The order of its steps is what makes it sound.
func (v *verifier) cut(ctx context.Context, tasks []int32) (*cut, error) {
	c := &cut{}
	before, err := v.orders(ctx)
	if err != nil {
		return nil, err
	}
	var first map[string]map[int32]int64
	for try := 0; ; try++ {
		if first, c.marks, err = v.marked(ctx); err != nil {
			break
		}
		committed := first[v.o.Topics.Inbox.Name]
		if c.pending, err = v.waiting(ctx, tasks, committed, try == cutTries); err == nil {
			c.unlogged, err = v.waiting(ctx, tasks, c.marked(v.o.Topics.Inbox.Name, committed), try == cutTries)
		}
		if !errors.Is(err, errTrimmed) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if c.changelog, err = kafka.Logs(ctx, v.o.Client, v.o.Topics.Changelog.Name); err != nil {
		return nil, err
	}
	if c.traits, err = kafka.Logs(ctx, v.o.Client, v.o.Topics.Traits.Name); err != nil {
		return nil, err
	}
	if err := v.awaitDecided(ctx, tasks, c); err != nil {
		return nil, err
	}
	second, err := v.committed(ctx)
	if err != nil {
		return nil, err
	}
	if c.inputs, err = v.inputs(ctx, first, second); err != nil {
		return nil, err
	}
	after, err := v.orders(ctx)
	if err != nil {
		return nil, err
	}
	c.replayed(before, after)
	return c, nil
}

// marked returns the group's offsets and the marks beside them.
func (v *verifier) marked(ctx context.Context) (map[string]map[int32]int64, map[partition]int64, error) {
	commits, err := kafka.StableCommits(ctx, v.o.Client, v.o.Config.Group(), func(string, int32) bool { return true })
	if err != nil {
		return nil, nil, err
	}
	offsets, marks := map[string]map[int32]int64{}, map[partition]int64{}
	commits.Each(func(c kadm.OffsetResponse) {
		if c.At < 0 {
			return
		}
		if offsets[c.Topic] == nil {
			offsets[c.Topic] = map[int32]int64{}
		}
		offsets[c.Topic][c.Partition] = c.At
		if note, _ := schemas.ParseOffsetNote(c.Metadata); note.Mark != (schemas.Mark{}) {
			marks[partition{c.Topic, c.Partition}] = note.Mark.From
		}
	})
	return offsets, marks, nil
}

// marked returns the marks of a topic, or where there are none the committed
// offsets.
func (c *cut) marked(topic string, committed map[int32]int64) map[int32]int64 {
	all := map[int32]int64{}
	for number, at := range committed {
		all[number] = at
		if mark, ok := c.marks[partition{topic, number}]; ok {
			all[number] = min(at, mark)
		}
	}
	return all
}

// logged tells whether what came of an impression that was merged must be in the
// changelog.
func (c *cut) logged(in *input, at oracle.Place, direct bool) bool {
	if !direct {
		return !c.unlogged[at]
	}
	mark, ok := c.marks[in.partition]
	return !ok || at.Offset < mark
}

// committed returns the group's offsets by topic and partition, none of them in
// an open transaction.
func (v *verifier) committed(ctx context.Context) (map[string]map[int32]int64, error) {
	wanted := map[string][]int32{}
	for name, t := range v.o.Topics.Sources {
		wanted[name] = numbers(t.Partitions)
	}
	wanted[v.o.Topics.Inbox.Name] = numbers(v.o.Topics.Inbox.Partitions)
	return kafka.StableOffsets(ctx, v.o.Client, v.o.Config.Group(), wanted)
}

func numbers(n int32) (all []int32) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// waiting returns the places of what was forwarded to some tasks and stands in
// the inbox from the committed offsets on. It is errTrimmed where the group went
// on and deleted some of it, unless that is the last try: then somebody else has
// deleted what was never merged.
func (v *verifier) waiting(ctx context.Context, tasks []int32, committed map[int32]int64, last bool) (map[oracle.Place]bool, error) {
	inbox := v.o.Topics.Inbox.Name
	logs, err := kafka.Logs(ctx, v.o.Client, inbox)
	if err != nil {
		return nil, err
	}
	places := map[oracle.Place]bool{}
	for _, task := range tasks {
		log := logs[task]
		from := max(committed[task], log.From)
		if from > committed[task] && !last {
			return nil, errTrimmed
		}
		err := kafka.ReadPartition(ctx, v.o.Client, inbox, task, from, log.To, func(r *kgo.Record) error {
			// What is no forwarded impression is of no concern here, nor what a job has
			// forwarded: it is known from the job.
			all := fleet.HeadersOf(r)
			if job, _ := schemas.ParseReplayHeaders(all); job != "" {
				return nil
			}
			if p, err := schemas.ParseInboxHeaders(all); err == nil {
				places[oracle.Place{Topic: p.Topic, Partition: p.Partition, Offset: p.Offset, Index: int(p.Index)}] = true
			}
			return nil
		})
		if gone := (*kafka.OutOfRangeError)(nil); errors.As(err, &gone) {
			return nil, errTrimmed
		}
		if err != nil {
			return nil, err
		}
	}
	return places, nil
}

// listed looks for errors of single partitions too.
func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err == nil {
		err = offsets.Error()
	}
	return offsets, err
}

// decidedInterval is how often awaitDecided looks.
const decidedInterval = 50 * time.Millisecond

// awaitDecided waits until no transaction is open below the ends of the outputs:
// what it commits then shows in the group's offsets.
func (v *verifier) awaitDecided(ctx context.Context, tasks []int32, c *cut) error {
	adm := kadm.NewClient(v.o.Client)
	changelog, traits := v.o.Topics.Changelog.Name, v.o.Topics.Traits.Name
	tick := time.NewTicker(decidedInterval)
	defer tick.Stop()
	for {
		stable, err := listed(adm.ListCommittedOffsets(ctx, changelog, traits))
		if err != nil {
			return fmt.Errorf("waiting for open transactions: %w", kafka.Explain(err))
		}
		decided := true
		for _, task := range tasks {
			logged, _ := stable.Lookup(changelog, task)
			sent, _ := stable.Lookup(traits, task)
			decided = decided && logged.Offset >= c.changelog[task].To && sent.Offset >= c.traits[task].To
		}
		if decided {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for open transactions: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
