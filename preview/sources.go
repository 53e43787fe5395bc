package preview

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/schemas/avro"
	"traitstream/trait"
)

// readSources reads all sources, up to where they end now.
func (p *preview) readSources(ctx context.Context) error {
	c := &counter{tell: p.o.Progress, stage: StageSources}
	var jobs []func(context.Context) error
	for _, source := range p.o.Config.Sources {
		logs, err := kafka.Logs(ctx, p.o.Client, source.Topic)
		if err != nil {
			return err
		}
		for number := range p.o.Topics.Sources[source.Topic].Partitions {
			log := logs[number]
			log.From = max(log.From, p.from[source.Topic][number])
			p.whole += max(0, log.To-log.From)
			reached := c.follow(log)
			jobs = append(jobs, func(ctx context.Context) error { return p.readPartition(ctx, source, number, log, reached) })
		}
	}
	return kafka.InParallel(ctx, p.readers, jobs)
}

// reader reads a partition of a source.
type reader struct {
	p        *preview
	decoder  *schemas.Decoder
	matcher  *trait.Matcher
	ahead    int64 // ms
	elements []impression.Element
	matches  []trait.Match
	t        *tally
	records  int
	unsure   int64 // from this offset on the app may not have processed it
}

// batch is after how many records the decoder's memory is used again.
const batch = 256

// readPartition reads a partition, and goes on at its start where retention is
// faster. What it has found counts also where it came to no end.
func (p *preview) readPartition(ctx context.Context, source config.Source, number int32, log kafka.Span, reached func(int64)) error {
	r := &reader{
		p: p, decoder: schemas.NewDecoder(source.Source, p.o.Config.Set.Filter(), p.o.Schemas), matcher: p.o.Config.Set.NewMatcher(),
		ahead: p.o.Config.Processor.MaxClockAhead.Milliseconds(), t: newTally(p.o.Config.Set), unsure: log.To,
	}
	if p.app.committed != nil {
		r.unsure = p.app.committed[source.Topic][number]
	}
	next := log.From
	defer func() { p.add(r.t, next-log.From) }()
	for {
		err := kafka.ReadPartition(ctx, p.o.Client, source.Topic, number, next, log.To, func(rec *kgo.Record) error {
			next = rec.Offset + 1
			reached(rec.Offset)
			return r.record(rec)
		})
		if err == nil {
			reached(log.To)
			next = log.To
			return nil
		}
		gone := (*kafka.OutOfRangeError)(nil)
		if !errors.As(err, &gone) || gone.Start <= next {
			return err
		}
		next = gone.Start
	}
}

// add takes in what was found in a partition, of which so many offsets were read.
func (p *preview) add(t *tally, offsets int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total.add(t)
	p.done += offsets
}

func (r *reader) record(rec *kgo.Record) (err error) {
	timestamp := rec.Timestamp.UnixMilli()
	r.t.record(timestamp)
	if r.records++; r.records%batch == 0 {
		r.decoder.Reset()
		r.matcher.Reset()
	}
	if r.elements, err = r.decoder.Decode(r.elements[:0], rec.Value, r.header(rec)); err != nil {
		return fmt.Errorf("decoding %s, partition %d, offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	for i := range r.elements {
		r.element(rec, timestamp, &r.elements[i])
	}
	return nil
}

// header returns the one that tells a value's schema, where that is of use.
func (r *reader) header(rec *kgo.Record) []byte {
	if !r.decoder.WantsHeader() {
		return nil
	}
	for i := len(rec.Headers) - 1; i >= 0; i-- {
		if rec.Headers[i].Key == avro.HeaderValueSchema {
			return rec.Headers[i].Value
		}
	}
	return nil
}

// element decides about an element as run does.
func (r *reader) element(rec *kgo.Record, timestamp int64, e *impression.Element) {
	imp := &e.Impression
	switch {
	case e.Outcome == impression.Skipped:
		r.t.skipped++
		return
	case e.Outcome == impression.Refused:
		r.t.refused[e.Reason]++
		return
	case timestamp >= 0 && imp.SeenAt > timestamp && uint64(imp.SeenAt)-uint64(timestamp) > uint64(r.ahead):
		r.t.refused[ClockAhead]++
		return
	}
	r.t.impressions++
	r.t.trial.Saw(imp)
	var verdict trait.Verdict
	r.matches, verdict = r.matcher.Match(r.matches[:0], imp)
	r.t.verdict(verdict, imp.Flag)
	if verdict == trait.Matched {
		r.sight(imp, timestamp, rec.Offset >= r.unsure)
	}
}

// sight merges an impression into the traits that want it.
func (r *reader) sight(imp *impression.Impression, timestamp int64, unsure bool) {
	hash := hashOf(imp.Identity, imp.User)
	s := r.p.table.lock(hash)
	kept, before := s.keeps(hash), len(s.registers)
	for i := range r.matches {
		m := &r.matches[i]
		if !r.p.wants(m.Index, m.Trait) {
			continue
		}
		d := &r.t.definitions[m.Index]
		d.impressions++
		if !kept {
			d.passed.add(hash)
			continue
		}
		outcome, had := s.merge(hash, trait.Key{Identity: imp.Identity, User: imp.User, Trait: m.Trait},
			trait.Register{SeenAt: imp.SeenAt, Version: imp.Version, Treatment: imp.Treatment, Value: m.Value}, m.Index, unsure)
		if outcome == trait.Changed || outcome == trait.Removed {
			d.change(outcome, had, s.weight(), timestamp)
		}
	}
	full := len(s.registers) > before && r.p.table.full(s)
	s.mu.Unlock()
	if full {
		r.p.table.relieve(s)
	}
}

// counter tells progress now and then.
type counter struct {
	tell        func(string, int64, int64)
	stage       string
	done, total atomic.Int64
}

// step is how many offsets are read between two calls of Progress.
const step = 1000

// follow returns a function that takes how far a partition is read.
func (c *counter) follow(log kafka.Span) func(offset int64) {
	c.total.Add(max(0, log.To-log.From))
	at := log.From
	return func(offset int64) {
		if offset-at >= step || offset >= log.To {
			c.tell(c.stage, c.done.Add(offset-at), c.total.Load())
			at = offset
		}
	}
}
