package verify

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/impression"
	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/schemas/avro"
	"traitstream/trait"
)

// readRefused reads from the dead letters which impressions were not merged, or
// not into all their traits, since something was too large.
func (p *pass) readRefused(ctx context.Context) error {
	letters := p.o.Topics.DeadLetters
	if letters.Missing {
		return nil
	}
	logs, err := kafka.Logs(ctx, p.o.Client, letters.Name)
	if err != nil {
		return err
	}
	for number, log := range logs {
		err := kafka.ReadPartition(ctx, p.o.Client, letters.Name, number, log.From, log.To, func(r *kgo.Record) error {
			if string(header(r, schemas.HeaderErrorStage, 1<<10)) == "emit" {
				p.refused[letterPlace(r)] = true
			}
			return nil
		})
		// Old letters that go meanwhile are none that are needed.
		if gone := (*kafka.OutOfRangeError)(nil); err != nil && !errors.As(err, &gone) {
			return err
		}
	}
	return nil
}

// letterPlace returns where a dead letter's impression stands.
func letterPlace(r *kgo.Record) oracle.Place {
	number := func(name string) int64 {
		n, err := strconv.ParseInt(string(header(r, name, 20)), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	return oracle.Place{
		Topic:     string(header(r, schemas.HeaderErrorTopic, 1<<10)),
		Partition: int32(number(schemas.HeaderErrorPartition)),
		Offset:    number(schemas.HeaderErrorOffset),
		Index:     int(number(schemas.HeaderErrorIndex)),
	}
}

// readSources reads all that the group has processed.
func (p *pass) readSources(ctx context.Context) error {
	c := p.counter(StageSources)
	p.findCauses()
	var jobs []func(context.Context) error
	for _, in := range p.cut.inputs {
		var parts []func(context.Context) error
		for _, log := range append(in.before(), kafka.Span{From: in.from, To: in.end}) {
			reached := c.follow(log)
			parts = append(parts, func(ctx context.Context) error { return p.readInput(ctx, in, log, reached) })
		}
		jobs = append(jobs, func(ctx context.Context) error { return kafka.InParallel(ctx, 1, parts) })
	}
	return kafka.InParallel(ctx, p.readers, jobs)
}

// readInput reads a part of a partition, and goes on at the start of what is left
// where retention is faster.
func (p *pass) readInput(ctx context.Context, in *input, log kafka.Span, reached func(int64)) error {
	next := log.From
	for {
		err := kafka.ReadPartition(ctx, p.o.Client, in.topic, in.number, next, log.To, func(r *kgo.Record) error {
			next = r.Offset + 1
			reached(r.Offset)
			return p.record(in, r)
		})
		if err == nil {
			reached(log.To)
		}
		gone := (*kafka.OutOfRangeError)(nil)
		if !errors.As(err, &gone) || gone.Start <= next {
			return err
		}
		next = gone.Start
		in.first, in.from, in.lost = next, max(in.from, next), true
	}
}

// record takes a record of a source.
func (p *pass) record(in *input, r *kgo.Record) error {
	timestamp := r.Timestamp.UnixMilli()
	value, err := p.inJSON(in.topic, r)
	if err != nil {
		return err
	}
	rec := oracle.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: timestamp, Value: value}
	if p.causes[in.partition][r.Offset] {
		p.witnessBefore(rec)
	}
	all, elements := oracle.Look(p.sources[in.topic], p.defs, p.ahead, rec)
	p.records.Add(1)
	p.impressions.Add(int64(elements))
	for _, s := range all {
		p.sight(in, s, timestamp)
	}
	return nil
}

// inJSON returns a source's record as JSON; what can't be read in Avro is none.
func (p *pass) inJSON(topic string, r *kgo.Record) ([]byte, error) {
	if p.sources[topic].Format != string(impression.Avro) || r.Value == nil {
		return r.Value, nil
	}
	text, ok, err := schemas.AppendFacts(nil, r.Value, header(r, avro.HeaderValueSchema, 1<<10), p.o.Schemas)
	if err != nil {
		return nil, fmt.Errorf("decoding %s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	if !ok {
		return []byte{0}, nil
	}
	return text, nil
}

var identities = map[string]impression.Identity{
	impression.User.String():      impression.User,
	impression.Anonymous.String(): impression.Anonymous,
}

// sight takes what an impression says of a trait.
func (p *pass) sight(in *input, s oracle.Sighting, timestamp int64) {
	user := []byte(s.Key.User)
	task := kafka.Partition(user, p.o.Topics.Tasks)
	shard, ours := p.shards[task]
	if !ours {
		return
	}
	direct := task == in.number
	again, quiet := in.again(s.Source.Offset, s.Key.Identity, s.Key.User, s.Split)
	live, why := p.live(in, s.Source, direct)
	if max(live, again) == unread {
		return
	}
	name := trait.Key{Identity: identities[s.Key.Identity], User: user, Trait: []byte(s.Key.Trait)}
	key := schemas.AppendStateKey(nil, name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	ev := p.of(shard, key)
	if ev == nil {
		return
	}
	ev.witness(s, timestamp)
	r := registerOf(s)
	if quiet != nil {
		ev.heard(r, quiet)
	}
	if again != unread && (live == unread || p.cut.changed) {
		ev.history.several = true // what is new to a job comes after what was live
	}
	logged := live == merged && p.cut.logged(in, s.Source, direct)
	switch {
	case shard.forgotten(p.o.Config.App, name, s.SeenAt):
		ev.away, ev.history.several = true, true
	case shard.expired(s), p.mayHaveExpired(shard, ev, name, s.SeenAt, s.Definition):
		ev.lapsed = ev.lapsed || !shard.expired(s)
		ev.addStale(r, logged && !p.refused[s.Source])
	case p.refused[s.Source]:
		ev.addFlux(r, Refused)
	case live == merged && (again != merged || !p.cut.changed):
		p.remember(ev, in, r, direct, logged)
	case again == merged:
		ev.addReplayed(r)
	case live == unread && again == cancelled:
		ev.addFlux(r, ReplayCancelled)
	default:
		ev.addFlux(r, why)
	}
}

// live tells how an impression stands by what the group has read, and why that
// will never be known, if so.
func (p *pass) live(in *input, at oracle.Place, direct bool) (standing, Reason) {
	switch {
	case in.unknown:
		return underway, BeforeGroup
	case at.Offset < in.from:
		return unread, ""
	case at.Offset >= in.base, !direct && p.cut.pending[at]:
		return underway, ""
	}
	return merged, ""
}

// remember merges an impression that was processed, and keeps the history of a
// trait as long as all its impressions stand in one partition.
func (p *pass) remember(ev *evidence, in *input, r register, direct, logged bool) {
	h := &ev.history
	if h.own == nil {
		h.own = in
	}
	h.several = h.several || h.own != in || !direct
	if !ev.add(r, logged) || r.value == h.value {
		return
	}
	h.previous, h.value, h.from = h.value, r.value, r.from
	h.count++
	h.sum = p.chain(h.sum, r.value, r.from)
}
