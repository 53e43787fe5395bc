package processor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// Reasons of dead letters that decoding does not know.
const (
	clockAhead impression.Reason = "clock_ahead"
	tooLarge   impression.Reason = "too_large"
)

// recordOverhead is more than the record format adds to a record's key, value
// and headers.
const recordOverhead = 512

// outbox builds the records of the open transaction.
type outbox struct {
	o       *Options
	tally   *tally
	app     []byte
	changes *schemas.ChangeWriter
	records []*kgo.Record
	slab    slab
	arena   []byte // keys, values and headers
	roomy   int    // bytes of key and value up to which fits holds for sure

	traitsTimes, inboxTimes timeLimits

	limits map[string]int32 // max.message.bytes by topic
	// These two are asked for with each change.
	traitsLimit, changelogLimit int

	mu      sync.Mutex
	failure error           // the first record that could not be produced
	taken   int             // records that the brokers have
	next    map[int32]int64 // next changelog offset by task, from what was produced
}

// newOutbox returns an outbox that knows the size limits of the one before it,
// nil for the first: they may have changed since the process has started.
func newOutbox(o *Options, t *tally, before *outbox) *outbox {
	out := &outbox{o: o, tally: t, app: []byte(o.Config.App), limits: map[string]int32{}, next: map[int32]int64{}}
	out.changes = schemas.NewChangeWriter(o.Avro)
	out.traitsTimes, out.inboxTimes = timeLimitsOf(o.Topics.Traits), timeLimitsOf(o.Topics.Inbox)
	if before != nil {
		out.limits = maps.Clone(before.limits)
	} else {
		for _, topic := range []kafka.Topic{o.Topics.Traits, o.Topics.Changelog, o.Topics.Inbox, o.Topics.DeadLetters} {
			out.limits[topic.Name] = topic.MaxMessageBytes
		}
	}
	out.traitsLimit, out.changelogLimit = int(out.limit(o.Topics.Traits.Name)), int(out.limit(o.Topics.Changelog.Name))
	out.roomy = (out.changelogLimit - recordOverhead) / 3
	return out
}

// pending tells whether something waits to be seen by others.
func (b *outbox) pending() bool { return len(b.records) > 0 }

// limit returns the largest record or batch that a topic takes, in bytes.
func (b *outbox) limit(topic string) int32 {
	if n := b.limits[topic]; n > 0 {
		return n
	}
	return 1 << 20
}

// change adds the change that a merge has just made. It returns false, and adds
// nothing, when the traits topic or the changelog would refuse it by its size.
func (b *outbox) change(task int32, key trait.Key, rec *trait.Record) bool {
	return b.send(task, key, &rec.Emitted)
}

// again adds a change that was sent before, as it was but for the header of a job.
// It returns false where the traits topic would refuse it now.
func (b *outbox) again(task int32, key trait.Key, e *trait.Emission, job string) bool {
	return b.send(task, key, e, kgo.RecordHeader{Key: schemas.HeaderReplay, Value: []byte(job)})
}

func (b *outbox) send(task int32, key trait.Key, e *trait.Emission, more ...kgo.RecordHeader) bool {
	mark := len(b.arena)
	var r schemas.ChangeRecord
	b.arena, r = b.changes.Append(b.arena, key, e, trait.ChangeID(b.o.Config.App, key, e))
	if len(r.Key)+len(r.Value)+recordOverhead > b.traitsLimit {
		b.arena = b.arena[:mark]
		return false
	}
	b.add(kgo.Record{
		Topic: b.o.Topics.Traits.Name, Partition: task,
		Key: r.Key, Value: r.Value, Headers: append(b.changeHeaders(&r), more...),
		Timestamp: b.timestamp(b.traitsTimes, e.Facts.Place.Timestamp, e.SeenAt),
	})
	return true
}

// add adds a record.
func (b *outbox) add(r kgo.Record) { b.records = append(b.records, b.slab.record(r)) }

// changeHeaders returns a change's headers, which lie in the slab.
func (b *outbox) changeHeaders(r *schemas.ChangeRecord) []kgo.RecordHeader {
	var most [3]schemas.Header
	return b.slab.headers(r.AppendHeaders(most[:0], b.app))
}

// fits tells whether the changelog takes a record's state.
func (b *outbox) fits(key trait.Key, rec *trait.Record) bool {
	e := &rec.Emitted
	size := len(key.User)*2 + len(key.Trait) + len(rec.Seen.Treatment) + len(rec.Seen.Value) +
		len(e.Value) + len(e.Previous) + len(e.Facts.Flag) + len(e.Facts.Environment) + len(e.Facts.Label) +
		len(e.Facts.Definition) + len(e.Facts.Place.Topic) + recordOverhead
	return size <= b.changelogLimit
}

// changelog adds the state of a trait as it is at the end of the transaction.
func (b *outbox) changelog(e state.Entry) {
	b.add(kgo.Record{Topic: b.o.Topics.Changelog.Name, Partition: e.Task, Key: e.Key, Value: e.Value})
}

// forward sends an element to the task of its user, with its first place.
// It counts unless no definition in force wants it.
func (b *outbox) forward(a *arrival, place trait.Place, e *impression.Element, task int32, counts bool) {
	value := e.Raw()
	// The source's own headers go before ours, which count where names are equal.
	headers := append(slices.Clone(a.record.Headers), fleet.RecordHeaders(schemas.InboxHeaders(place))...)
	if a.replayed {
		headers = append(headers, fleet.RecordHeaders(schemas.ReplayHeaders(a.job(), a.quiet))...)
	}
	if size(e.Impression.User, value, headers) > int(b.limit(b.o.Topics.Inbox.Name)) {
		if a.replayed { // it went there when it was first read
			b.tally.arrived(a, resultDeadLetter)
			return
		}
		b.deadLetter(a, letter{place: place, value: value, stage: "emit", reason: tooLarge,
			message: "the record is too large to be forwarded to the task of its user"})
		return
	}
	b.add(kgo.Record{
		Topic: b.o.Topics.Inbox.Name, Partition: task, Headers: headers,
		Key: e.Impression.User, Value: value,
		Timestamp: b.timestamp(b.inboxTimes, place.Timestamp, e.Impression.SeenAt),
	})
	if counts {
		b.tally.arrived(a, resultForwarded)
	}
	a.share.forwarded()
}

// timestamp returns that of a record's source or, where it had none, when its
// impression was seen, both in ms. A time that the topic would refuse (KIP-937)
// gives way to now: a source may take what ours does not.
func (b *outbox) timestamp(t timeLimits, source, seen int64) time.Time {
	if source < 0 {
		source = seen
	}
	at := time.UnixMilli(source)
	if !t.forward && !t.back {
		return at
	}
	now := time.Now()
	if t.forward && at.After(now.Add(t.after)) || t.back && at.Before(now.Add(-t.before)) {
		return now
	}
	return at
}

// timeLimits are how far from now a topic lets timestamps be.
type timeLimits struct {
	forward, back bool // whether there is a limit
	after, before time.Duration
}

func timeLimitsOf(t kafka.Topic) timeLimits {
	var l timeLimits
	l.after, l.forward = timeLimit(t, "message.timestamp.after.max.ms")
	l.before, l.back = timeLimit(t, "message.timestamp.before.max.ms")
	return l
}

// timeLimit returns one of a topic's limits, less a minute for the clocks; false
// for as far as they like.
func timeLimit(t kafka.Topic, setting string) (time.Duration, bool) {
	ms, err := strconv.ParseInt(t.Config[setting], 10, 64)
	if err != nil || ms > math.MaxInt64/int64(time.Millisecond) {
		return 0, false
	}
	return max(0, time.Duration(ms)*time.Millisecond-time.Minute), true
}

// produced takes note of a record's outcome; the client calls it.
func (b *outbox) produced(r *kgo.Record, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.taken++
	}
	switch {
	case err != nil && b.failure == nil:
		b.failure = fmt.Errorf("%w to %s, partition %d: %w", errProducing, r.Topic, r.Partition, err)
	case err == nil && r.Topic == b.o.Topics.Changelog.Name:
		b.next[r.Partition] = max(b.next[r.Partition], r.Offset+1)
	}
}

// failed returns the error of the first record that could not be produced.
func (b *outbox) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failure
}

// checkpoints are those of the tasks whose changelog got records.
func (b *outbox) checkpoints(now time.Time, clock func(task int32) int64) map[int32]state.Checkpoint {
	b.mu.Lock()
	defer b.mu.Unlock()
	cps := make(map[int32]state.Checkpoint, len(b.next))
	for task, next := range b.next {
		cps[task] = state.Checkpoint{Next: next, Clock: clock(task), Committed: now}
	}
	return cps
}

// relearn reads the topics' size limits again after the broker has refused a
// record by its size. What does not fit then becomes a dead letter when its
// input is read again, with a new outbox; limits that have not changed make it
// an error.
func (b *outbox) relearn(ctx context.Context, cause error) error {
	if !errors.Is(cause, kerr.MessageTooLarge) && !errors.Is(cause, kerr.RecordListTooLarge) {
		return cause
	}
	topics, err := kafka.Describe(ctx, b.o.Client,
		b.o.Topics.Traits.Name, b.o.Topics.Changelog.Name, b.o.Topics.Inbox.Name, b.o.Topics.DeadLetters.Name)
	if err != nil {
		return errors.Join(cause, err)
	}
	changed := false
	for name, topic := range topics {
		changed = changed || b.limits[name] != topic.MaxMessageBytes
		b.limits[name] = topic.MaxMessageBytes
	}
	if !changed {
		return cause
	}
	b.o.Log.Warn("a topic's max.message.bytes has changed", "cause", cause)
	return errRelearned
}

// errRelearned says that a transaction was given up for new size limits and
// that a new client, which caches them, goes on.
var errRelearned = errors.New("the size limits of topics have changed")

func (b *outbox) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken == len(b.records) {
		b.slab.reset()
	} else {
		b.slab = slab{} // the client may still look at what has failed
	}
	clear(b.records)
	b.records = b.records[:0]
	b.arena = b.arena[:0]
	b.failure, b.taken = nil, 0
	clear(b.next)
}

func size(key, value []byte, headers []kgo.RecordHeader) int {
	n := len(key) + len(value) + recordOverhead
	for _, h := range headers {
		n += len(h.Key) + len(h.Value) + 8
	}
	return n
}
