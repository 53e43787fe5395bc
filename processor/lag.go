package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
)

// lagInterval is how often lag is measured and the inbox emptied.
const lagInterval = 5 * time.Second

// watch keeps the lag gauges, and empties the inbox of what is done with, until
// ctx ends.
func (p *Processor) watch(ctx context.Context) {
	for wait := time.Second; sleep(ctx, wait); wait = lagInterval {
		// What can't be done now is done at the next round.
		switch err := errors.Join(p.sweep(ctx), p.look(ctx)); {
		case err == nil || ctx.Err() != nil:
		case kafka.IsNetwork(err):
			p.o.Log.Warn("the brokers do not answer; waiting for them", "error", kafka.Explain(err))
		default:
			p.o.Log.Warn("measuring lag", "error", kafka.Explain(err))
		}
	}
}

func (p *Processor) look(ctx context.Context) error {
	ids, gone, err := p.o.TopicIDs(ctx)
	if err != nil {
		return err
	}
	for _, topic := range gone {
		p.o.Log.Warn("a topic is gone: waiting for it to be created again", "topic", topic)
	}
	for _, w := range p.workers {
		if starts := w.starts.Load(); starts != nil && starts.outlived(ids) {
			w.fail(errRecreated)
		}
	}
	numbers := p.numbers()
	if len(numbers) == 0 {
		return nil
	}
	began := time.Now()
	m, err := p.o.Measure(ctx)
	if err != nil {
		return err
	}
	if p.unread.look(m, time.Now()) {
		if err := p.reassign(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(p.measureLag(ctx, m, numbers, began), p.o.lookBack(ctx, m)); err != nil {
		return err
	}
	err = p.o.trimInbox(ctx, m, numbers)
	if kafka.IsAuthorization(err) {
		p.workers[0].fail(err) // the inbox would grow for ever
		return nil
	}
	return err
}

// numbers tells which tasks are here.
func (p *Processor) numbers() []int32 {
	var numbers []int32
	for _, w := range p.workers {
		w.tasks.each(func(number int32, _ bool) { numbers = append(numbers, number) })
	}
	return numbers
}

// marked returns the offset up to which a partition is done with: what was read
// of it is in the changelog.
func marked(c kadm.OffsetResponse) int64 {
	if note, _ := schemas.ParseOffsetNote(c.Metadata); note.Mark != (schemas.Mark{}) {
		return min(c.At, note.Mark.From)
	}
	return c.At
}

// trimInbox deletes the forwarded records of some tasks that are done with.
func (o *Options) trimInbox(ctx context.Context, m *fleet.Measurement, tasks []int32) error {
	done, inbox := kadm.Offsets{}, o.Topics.Inbox.Name
	for _, task := range tasks {
		start, _ := m.Start.Lookup(inbox, task)
		if c, ok := m.Committed.Lookup(inbox, task); ok && marked(c) > start.Offset {
			done.AddOffset(inbox, task, marked(c), -1)
		}
	}
	if len(done) == 0 {
		return nil
	}
	deleted, err := kadm.NewClient(o.Client).DeleteRecords(ctx, done)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		return fmt.Errorf("emptying the inbox, topic %s: %w", inbox, err)
	}
	return nil
}

// measureLag tells how far behind some tasks are, from a measurement that was begun
// at a time.
func (p *Processor) measureLag(ctx context.Context, m *fleet.Measurement, numbers []int32, began time.Time) error {
	expires := p.o.Traits.LeastExpiry() > 0 || p.o.jobs.expires()
	inputs, err := m.Inputs(ctx, func(topic string, number int32) bool {
		return slices.Contains(numbers, number) || expires && topic != p.o.Topics.Inbox.Name
	})
	if err != nil {
		return err
	}
	for _, number := range numbers {
		records, oldest := int64(0), began
		for i := range inputs {
			if in := &inputs[i]; in.Partition == number && in.Lag > 0 {
				records += in.Lag
				oldest = earlier(oldest, in.Oldest)
			}
		}
		seconds := 0.0
		p.behind(number, records, oldest)
		if records > 0 {
			seconds = max(0, time.Since(oldest).Seconds())
		}
		p.o.Metrics.lagRecords.WithLabelValues(taskLabel(number)).Set(float64(records))
		p.o.Metrics.lagSeconds.WithLabelValues(taskLabel(number)).Set(seconds)
	}
	if expires && m.Failed() == nil {
		p.reached(numbers, inputs, began)
	}
	return nil
}

// behind tells the worker of a task how much it has not read, and since when that
// waits.
func (p *Processor) behind(number int32, records int64, oldest time.Time) {
	for _, w := range p.workers {
		if t := w.tasks.owns(number); t != nil {
			t.behind.Store(records)
			t.waits.Store(oldest.UnixMilli())
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// reached tells the workers of some tasks up to when all was read that stood in the
// sources. Any partition of these, whoever reads it, may have what is forwarded to the
// task and keeps a trait from expiring; what has been forwarded stands in the task's
// inbox before the tick.
func (p *Processor) reached(numbers []int32, inputs []fleet.Input, began time.Time) {
	at := began
	for i := range inputs {
		if in := &inputs[i]; in.Lag > 0 && in.Topic != p.o.Topics.Inbox.Name {
			at = earlier(at, in.Oldest)
		}
	}
	for _, number := range numbers {
		for _, w := range p.workers {
			if t := w.tasks.owns(number); t != nil {
				t.reached.Store(at.UnixMilli())
			}
		}
	}
}
