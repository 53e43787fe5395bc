package verify

import (
	"cmp"
	"fmt"
	"strings"

	"traitstream/internal/oracle"
	"traitstream/schemas"
	"traitstream/trait"
)

// traitBytes is what the evidence on a trait takes in memory beside its key and
// its record of the changelog.
const traitBytes = 450

// evidence is all that a look finds out about one trait of one user.
type evidence struct {
	record    string // the changelog's last; empty: none
	cause     int64  // the offset of the impression behind its last change; -1: none
	witnessed bool   // that impression was read, and is as the change tells
	sent      sent
	// fault is the first that was found wrong with a record by itself.
	fault      *Difference
	unreadable bool // all else follows from the fault
	local      local

	base     register // the greatest of what is processed for certain
	logged   register // the greatest of what is in the changelog for certain, if it moved something
	unlogged register // the greatest of what is perhaps not
	away     bool     // some of its impressions count no more
	stale    bool     // the changelog says what would have expired
	lapsed   bool     // some have expired by definitions of before alone
	late     bool     // the changelog says what an impression says, perhaps not the greatest
	flux     *flux    // what may have been processed; nil: nothing
	history  history
	quiet    *job // that may have merged what the changelog says and has sent nothing; nil: none
	again    bool // base was merged by a job, and not after what may be missing in the changelog
}

// register is what an impression says of a trait. The zero register is none at
// all, and less than any.
type register struct {
	seenAt, version  int64
	treatment, value string // value is empty for none
	from             place
}

// place is where an impression stands.
type place struct {
	topic            string
	partition, index int32
	offset           int64
}

func (p place) String() string {
	if p.index < 0 {
		return fmt.Sprintf("%s %d@%d", p.topic, p.partition, p.offset)
	}
	return fmt.Sprintf("%s %d@%d, element %d", p.topic, p.partition, p.offset, p.index)
}

// sent is what the traits topic says.
type sent struct {
	known  bool
	value  string // empty: removed
	seenAt int64
	from   place // of the impression
	at     int64 // the offset in the traits topic
	id     [16]byte
	// forGood says that it was removed for another reason than by an impression.
	forGood bool
	expired int64  // when it last has, by the task's clock; 0: never
	digest  uint64 // of the last record, as JSON writes it
	bytes   uint64 // and as it stands there
	count   int    // records
	sum     uint64 // of all changes
}

// local is what the changelog says of the record that local state must hold.
type local struct {
	sum   uint64
	is    is
	newer bool // there are records after the checkpoint
	found bool // in the local state
}

type is uint8

const (
	unheard is = iota
	present
	removed
)

// flux sums up what may have been merged.
type flux struct {
	top    register // the greatest
	logged bool     // one of them is what the changelog says
	sent   register // the greatest of those whose value the traits topic says
	why    Reason   // if it will never be known whether they were
}

// history is what the changes of a trait must be whose impressions all stand in
// one partition, that of its task (S12).
type history struct {
	own      *input
	several  bool // the impressions stand elsewhere
	value    string
	previous string
	from     place
	count    int
	sum      uint64
}

// compare orders registers as S1 does.
func (r register) compare(o register) int {
	return cmp.Or(
		cmp.Compare(r.seenAt, o.seenAt),
		cmp.Compare(r.version, o.version),
		strings.Compare(r.treatment, o.treatment),
		strings.Compare(r.value, o.value),
	)
}

func registerOf(s oracle.Sighting) register {
	return register{
		seenAt: s.SeenAt, version: s.FlagVersion, treatment: s.Treatment, value: s.Value,
		from: place{s.Source.Topic, s.Source.Partition, int32(s.Source.Index), s.Source.Offset},
	}
}

func registerIn(rec *trait.Record) register {
	r := &rec.Seen
	return register{seenAt: r.SeenAt, version: r.Version, treatment: string(r.Treatment), value: string(r.Value)}
}

func placeOf(p *trait.Place) place { return place{p.Topic, p.Partition, p.Index, p.Offset} }

// changelog returns the changelog's record, which is good, or an empty one.
func (ev *evidence) changelog() trait.Record {
	var rec trait.Record
	if ev.record != "" && schemas.DecodeRecord([]byte(ev.record), &rec) != nil {
		return trait.Record{}
	}
	return rec
}

// witness compares an impression with the last change, if it stands where that
// came from.
func (ev *evidence) witness(s oracle.Sighting, timestamp int64) {
	if ev.cause != s.Source.Offset || ev.witnessed {
		return
	}
	rec := ev.changelog()
	e, f := &rec.Emitted, &rec.Emitted.Facts
	ev.witnessed = placeOf(&f.Place) == registerOf(s).from && f.Place.Timestamp == timestamp &&
		e.SeenAt == s.SeenAt && e.Version == s.FlagVersion && string(e.Value) == s.Value && f.Definition == s.Definition &&
		string(f.Flag) == s.Split && string(f.Environment) == s.Environment && string(f.Label) == s.Label
}

// add takes an impression that was processed for certain, and logged for certain
// or perhaps.
func (ev *evidence) add(r register, logged bool) (won bool) {
	rec, most := ev.changelog(), &ev.unlogged
	if logged {
		most = &ev.logged
	}
	if r.compare(*most) > 0 {
		*most = r
	}
	ev.late = ev.late || r.compare(registerIn(&rec)) == 0
	switch c := r.compare(ev.base); {
	case c > 0:
		ev.base, ev.again, won = r, false, true
	case c == 0:
		ev.again = false
	}
	return won
}

// addReplayed takes an impression that a job has merged for certain, and perhaps nobody before. It is in
// the changelog, unless it came late.
func (ev *evidence) addReplayed(r register) {
	ev.history.several = true
	if r.compare(ev.base) > 0 {
		ev.base, ev.again = r, true
	}
	rec := ev.changelog()
	ev.late = ev.late || r.compare(registerIn(&rec)) == 0
}

// heard takes an impression that a job merges which sends nothing.
func (ev *evidence) heard(r register, by *job) {
	if rec := ev.changelog(); ev.quiet == nil && r.compare(registerIn(&rec)) == 0 {
		ev.quiet = by
	}
}

// unsent returns the job by which what the changelog says was not sent, nil if it
// was sent, or if no job can be it.
func (ev *evidence) unsent(rec *trait.Record) *job {
	if string(rec.Emitted.Value) == string(rec.Seen.Value) {
		return nil
	}
	return ev.quiet
}

// addFlux takes an impression that may have been processed.
func (ev *evidence) addFlux(r register, why Reason) {
	if ev.flux == nil {
		ev.flux = &flux{}
	}
	f := ev.flux
	f.why = why
	if r.compare(f.top) > 0 {
		f.top = r
	}
	rec := ev.changelog()
	f.logged = f.logged || r.compare(registerIn(&rec)) == 0
	ev.late = ev.late || f.logged // what is greater may not be in the changelog yet
	if r.value == ev.sent.value && r.compare(f.sent) > 0 {
		f.sent = r
	}
}

// moves tells whether the trait may say one of several things.
func (ev *evidence) moves() bool { return ev.flux != nil && ev.flux.top.compare(ev.base) > 0 }

// allows tells whether a register is one that the changelog may have. It may be
// behind in when a value was last seen, but not in the value.
func (ev *evidence) allows(r register) bool {
	switch c := r.compare(ev.base); {
	case c > 0:
		return ev.flux != nil && ev.flux.logged || ev.stale && ev.base == register{}
	case c < 0:
		behind := r.compare(ev.logged)
		return !ev.again && r.value != "" && r.value == ev.base.value && (behind == 0 || ev.late && (behind > 0 || ev.overtaken()))
	}
	return true
}

// overtaken tells whether what is logged for certain may have moved nothing: one
// of another partition, as late or later, may have been merged before, whose move
// is logged later.
func (ev *evidence) overtaken() bool {
	return ev.history.several && ev.unlogged.compare(ev.logged) >= 0
}

// allowsSent tells whether the value of the traits topic is one that the trait
// may have.
func (ev *evidence) allowsSent() bool {
	return ev.sent.value == ev.base.value || ev.flux != nil && ev.flux.sent.compare(ev.base) > 0
}
