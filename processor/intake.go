package processor

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/schemas/avro"
	"traitstream/state"
	"traitstream/trait"
)

// roundSightings bounds how many sightings are held before they are merged, so
// that a record of a hundred thousand elements costs no more than many small
// ones.
const roundSightings = 16_384

// sighting is an impression as one trait sees it.
type sighting struct {
	slot  state.Slot
	task  int32
	key   trait.Key
	seen  trait.Register
	facts trait.Facts
	// expires is after how long the trait does; 0: never.
	expires time.Duration
	// record and index are where to find the element again for a dead letter.
	record *kgo.Record
	index  int
	// last marks an impression's last sighting: its result is then known.
	last bool
	again
	// plan is that of the task where it is not what the process has begun with; shadow
	// tells that this is of its next definitions alone, fresh that it is of one of
	// those that are new and take their place.
	plan          *plan
	shadow, fresh bool
}

// intake turns records into sightings: it decodes, admits and matches them, and
// sends on those that belong to another task.
type intake struct {
	o         *Options
	tally     *tally
	out       *outbox
	state     *state.Overlay
	readings  map[*trait.Set]*reading
	base      *reading // of the definitions that the process has begun with
	read      *reading // of the record at hand
	plans     map[int32]*plan
	maxAhead  int64 // ms
	elements  []impression.Element
	matches   []trait.Match
	sightings []sighting
	commands  []command
	best      result // of the impression whose sightings are being merged
	refused   bool   // whether that impression has become a dead letter
	mixed     *trait.Environments
	touched   byte // the sum of what was touched, so that it is
	// replaying is the share whose history is being decoded, nil while that is live
	// impressions.
	replaying *share
	replays   *replays
}

func newIntake(o *Options, t *tally, out *outbox, s *state.Overlay) *intake {
	in := &intake{
		o: o, tally: t, out: out, state: s,
		readings: map[*trait.Set]*reading{},
		maxAhead: o.Config.Processor.MaxClockAhead.Milliseconds(),
		best:     results,
		mixed:    trait.NewEnvironments(),
	}
	in.base = in.reading(o.Traits)
	in.read = in.base
	return in
}

// arrival is a record with what is known of where it was first read.
type arrival struct {
	record    *kgo.Record
	place     trait.Place // Index is set for each element
	forwarded bool
	command   bool   // in the inbox
	foreign   string // why it is no record of ours, in the inbox
	refused   int    // bytes of its dead letters
	again
	plan *plan // of the task, where it is not what the process has begun with
}

// maxRefused bounds what the dead letters of one record take with the groups
// around their elements, bytes: a record of many bad elements in one large group
// would repeat the group for each.
const maxRefused = 64 << 20

// refuse sends an element to the dead letters, unless it went there when it was
// first read.
func (in *intake) refuse(a *arrival, place trait.Place, e *impression.Element, stage string, reason impression.Reason, message string) {
	if a.replayed {
		in.tally.arrived(a, resultDeadLetter)
		return
	}
	l := letter{place: place, value: e.Bytes(), cut: true, stage: stage, reason: reason, message: message}
	if a.refused < maxRefused {
		l.value, l.cut = e.Raw(), false
	}
	a.refused += len(l.value)
	in.out.deadLetter(a, l)
}

// decode turns records into sightings until there are enough for a round, and
// returns how many records it took.
func (in *intake) decode(records []*kgo.Record) (int, error) {
	in.sightings = in.sightings[:0]
	defer in.want()
	var a arrival
	for i, r := range records {
		if len(in.sightings) >= roundSightings {
			return i, nil
		}
		if err := in.meet(r, &a); err != nil {
			return i, err
		}
		if a.foreign != "" {
			in.foreign(&a)
			continue
		}
		if a.command {
			continue
		}
		if in.read == nil {
			in.tally.arrived(&a, resultNoMatch)
			continue
		}
		var err error
		d := in.read.decoder(a.place.Topic, r)
		if in.elements, err = d.Decode(in.elements[:0], r.Value, schemaHeader(d, r)); err != nil {
			return i, fmt.Errorf("decoding %s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		for j := range in.elements {
			in.element(&a, &in.elements[j])
		}
	}
	return len(records), nil
}

// want finds the records of the sightings.
func (in *intake) want() {
	in.state.WantEach(len(in.sightings), func(i int) (int32, trait.Key) {
		s := &in.sightings[i]
		return s.task, s.key
	}, func(i int, slot state.Slot) { in.sightings[i].slot = slot })
}

// glance is how many sightings' users are read at a time before they are merged.
const glance = 32

// touch reads a little of the users of some sightings. Since they were decoded
// they have left the processor's caches, and a loop that waits for nothing asks
// for many at once.
func (in *intake) touch(first, n int) {
	sum := in.touched
	for i := first; i < min(first+n, len(in.sightings)); i++ {
		if user := in.sightings[i].key.User; len(user) > 0 {
			sum += user[0]
		}
	}
	in.touched = sum
}

// arrive finds out where a record was first read. The only error is a record
// in the inbox that a newer release wrote.
func (in *intake) arrive(r *kgo.Record) (a arrival, err error) {
	err = in.meet(r, &a)
	return a, err
}

// meet is arrive in place: an arrival is large.
func (in *intake) meet(r *kgo.Record, a *arrival) error {
	a.record, a.forwarded, a.command, a.foreign, a.refused = r, false, false, "", 0
	a.again, a.plan, in.read = in.replaying.again(), nil, in.base
	if len(in.plans) > 0 {
		in.readBy(a)
	}
	p := &a.place
	p.Topic, p.Partition, p.Offset, p.Index, p.Timestamp = r.Topic, r.Partition, r.Offset, -1, timestamp(r)
	if r.Topic != in.o.Topics.Inbox.Name {
		return nil
	}
	headers := plainHeaders(r.Headers)
	place, err := schemas.ParseInboxHeaders(headers)
	switch {
	case isNewer(err):
		if err = in.commanded(a, headers); err != nil {
			return fmt.Errorf("reading %s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	case err != nil:
		a.foreign = err.Error()
	default:
		a.place, a.forwarded = place, true
		if job, quiet := schemas.ParseReplayHeaders(headers); job != "" {
			a.again = again{replayed: true, quiet: quiet, share: in.replays.counts(shareKey{job, r.Partition})}
			if a.defines = schemas.IsDefinitionsJob(job); a.defines {
				in.readBy(a)
			}
		}
	}
	return nil
}

// job returns the job that has read a record again; what is in the inbox may name one
// that is not known here.
func (a *arrival) job() string {
	if a.share != nil {
		return a.share.job.ID
	}
	job, _ := schemas.ParseReplayHeaders(plainHeaders(a.record.Headers))
	return job
}

// isNewer tells whether an error is that of a kind of record that is no impression.
func isNewer(err error) bool {
	var newer *schemas.KindError
	return errors.As(err, &newer)
}

// at returns the place of an element of the record.
func (a *arrival) at(e *impression.Element) trait.Place {
	place := a.place
	if e.Several {
		place.Index = int32(e.Index)
	}
	return place
}

// foreign refuses what something else has written to the inbox.
func (in *intake) foreign(a *arrival) {
	in.out.deadLetter(a, letter{place: a.place, value: a.record.Value, stage: "decode", reason: impression.Malformed, message: a.foreign})
}

// formerSource is how a source is read that has left the configuration since a
// record of it was forwarded: by its shape.
func formerSource(topic string, r *kgo.Record) impression.Source {
	src := impression.Source{Topic: topic, Format: impression.Auto, Identity: impression.User}
	if _, _, ok := avro.Split(r.Value, header(r, avro.HeaderValueSchema)); ok {
		src.Format = impression.Avro
	}
	return src
}

// schemaHeader returns the header that tells a value's schema, where the decoder
// has a use for it.
func schemaHeader(d *schemas.Decoder, r *kgo.Record) []byte {
	if !d.WantsHeader() {
		return nil
	}
	return header(r, avro.HeaderValueSchema)
}

// header returns the last header of a name, nil if there is none.
func header(r *kgo.Record, name string) []byte {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == name {
			return r.Headers[i].Value
		}
	}
	return nil
}

// element decides about one element of a record: dead letter, skipped, not
// wanted, forwarded, or a sighting for each trait that wants it.
func (in *intake) element(a *arrival, e *impression.Element) {
	imp := &e.Impression
	switch {
	case e.Outcome == impression.Skipped:
		in.tally.arrived(a, resultSkipped)
		return
	case e.Outcome == impression.Refused:
		in.refuse(a, a.at(e), e, "decode", e.Reason, e.Message)
		return
	case !a.forwarded && in.ahead(a.record, imp):
		in.refuse(a, a.at(e), e, "admit", clockAhead, fmt.Sprintf(
			"seen %d ms after the record's timestamp (max_clock_ahead is %s)",
			uint64(imp.SeenAt)-uint64(a.place.Timestamp), in.o.Config.Processor.MaxClockAhead))
		return
	}
	if in.replaying != nil && !in.replaying.wanted.has(imp.Identity, imp.User, imp.Flag) {
		return
	}
	var verdict trait.Verdict
	in.matches, verdict = in.read.matcher.Match(in.matches[:0], imp)
	switch verdict {
	case trait.NoMatch:
		in.tally.arrived(a, resultNoMatch)
	case trait.NotServed:
		in.tally.arrived(a, resultNotServed)
	}
	if len(in.matches) == 0 {
		return
	}
	task := kafka.Partition(imp.User, in.o.Topics.Tasks)
	if task != a.record.Partition {
		in.out.forward(a, a.at(e), e, task, verdict == trait.Matched)
		return
	}
	in.matches[0].Intern(imp)
	last := -1
	for i := range in.matches {
		if in.sight(a, e, task, &in.matches[i]); !in.sightings[len(in.sightings)-1].shadow || a.defines {
			last = len(in.sightings) - 1
		}
	}
	if last >= 0 {
		in.sightings[last].last = true
	}
}

// sight adds the sighting of a match.
func (in *intake) sight(a *arrival, e *impression.Element, task int32, m *trait.Match) {
	imp := &e.Impression
	if warning := in.mixed.Saw(m, imp); warning != "" {
		in.o.Log.Warn(warning)
	}
	s := in.room()
	s.slot, s.task, s.record, s.index, s.last, s.again = 0, task, a.record, e.Index, false, a.again
	s.plan, s.shadow, s.fresh = a.plan, false, m.New
	s.key.Identity, s.key.User, s.key.Trait = imp.Identity, imp.User, m.Trait
	if a.plan != nil && m.New && a.plan.Phase == schemas.Shadowing {
		s.shadow, s.key.Trait = true, trait.Shadow(a.plan.Next, m.Trait)
	}
	s.seen.SeenAt, s.seen.Version, s.seen.Treatment, s.seen.Value = imp.SeenAt, imp.Version, imp.Treatment, m.Value
	s.expires = m.Definition.ExpireAfter
	f := &s.facts
	f.Flag, f.Environment, f.Label, f.Definition = imp.Flag, imp.EnvironmentName, imp.Label, m.Definition.Name.String()
	f.Place = a.place
	if e.Several {
		f.Place.Index = int32(e.Index)
	}
}

// room appends a sighting with whatever was there: one is large, and quicker
// written in place than copied.
func (in *intake) room() *sighting {
	n := len(in.sightings)
	in.sightings = slices.Grow(in.sightings, 1)[:n+1]
	return &in.sightings[n]
}

// ahead tells whether an impression was seen too long after its record was
// written (S5). A record without a timestamp can't tell.
func (in *intake) ahead(r *kgo.Record, imp *impression.Impression) bool {
	ts := timestamp(r)
	return ts >= 0 && imp.SeenAt > ts && uint64(imp.SeenAt)-uint64(ts) > uint64(in.maxAhead)
}

// settle counts an impression once, by the most telling result among its
// traits. That of a dead letter has been counted.
func (in *intake) settle(s *sighting, r result) {
	in.best = min(in.best, r)
	if !s.last {
		return
	}
	switch {
	case in.refused:
	case s.replayed:
		in.tally.replayed[in.best]++
		s.share.merged()
	default:
		in.tally.impression(s.facts.Place.Topic, in.best)
	}
	in.best, in.refused = results, false
}

func resultOf(o trait.Outcome, none bool) result {
	switch {
	case o == trait.Changed || o == trait.Removed:
		return resultChange
	case none:
		return resultNotServed
	case o == trait.Same:
		return resultSame
	case o == trait.Duplicate:
		return resultDuplicate
	}
	return resultLate
}

// reset forgets what was decoded.
func (in *intake) reset() {
	for _, r := range in.readings {
		r.reset()
	}
	clear(in.sightings)
	in.sightings, in.commands = in.sightings[:0], in.commands[:0]
	if cap(in.elements) > roundSightings {
		in.elements = nil // of a huge array
	}
	in.best, in.refused, in.replaying = results, false, nil
}

// timestamp returns that of a record in ms, or -1.
func timestamp(r *kgo.Record) int64 {
	return r.Timestamp.UnixMilli()
}

// sourceOf returns the configuration of a source topic.
func sourceOf(c *config.Config, topic string) (config.Source, bool) {
	for _, s := range c.Sources {
		if s.Topic == topic {
			return s, true
		}
	}
	return config.Source{}, false
}
