package processor

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// roundSightings bounds how many sightings are held before they are merged, so
// that a record of a hundred thousand elements costs no more than many small
// ones.
const roundSightings = 16_384

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

// job returns the job that has read a record again; what is in the inbox may name one
// that is not known here.
func (a *arrival) job() string {
	if a.share != nil {
		return a.share.job.ID
	}
	job, _ := schemas.ParseReplayHeaders(fleet.HeadersOf(a.record))
	return job
}

// foreign refuses what something else has written to the inbox.
func (in *intake) foreign(a *arrival) {
	in.out.deadLetter(a, letter{place: a.place, value: a.record.Value, stage: "decode", reason: impression.Malformed, message: a.foreign})
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

// ahead tells whether an impression was seen too long after its record was
// written (S5). A record without a timestamp can't tell.
func (in *intake) ahead(r *kgo.Record, imp *impression.Impression) bool {
	ts := timestamp(r)
	return ts >= 0 && imp.SeenAt > ts && uint64(imp.SeenAt)-uint64(ts) > uint64(in.maxAhead)
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
