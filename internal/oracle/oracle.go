// Package oracle reads impressions and computes traits a second time: slowly,
// plainly, and from the words of the contract alone. Tests compare the program
// with it, and so does a verification of real data. It shares no code and no
// types with what it judges.
//
// [Run] takes records in the order in which they are processed and tells what
// must become of each: the final traits, every change, every dead letter, and
// how many impressions had which outcome. [Look] tells of one record alone what
// its impressions say of traits, for who merges them elsewhere. [SplitFile] cuts a file into values
// as an import must. [Generate] makes files to compare on.
package oracle

import "time"

// Source tells how the records of a topic are read.
type Source struct {
	Topic  string
	Format string // auto, one of the six shapes, or avro
	// Identity is that of Split's own shapes: user, anonymous, or empty to skip.
	Identity string
	// ByTrafficType, where not nil, gives the identity by trafficTypeId, and
	// Else that of all other ids and of none.
	ByTrafficType map[string]string
	Else          string
	// Environment is the name where the payload tells neither name nor id.
	Environment string
	// Environments gives the name where the payload tells the id alone.
	Environments map[string]string
}

// Cond is one condition: a property by its export's name, an operator, and what
// it is compared with, as text.
type Cond struct {
	Property string
	Operator string
	Operands []string // one; several for one_of and contains_one_of; none for exists and not_exists
}

// Definition is a trait's rule.
type Definition struct {
	Name      string // may hold {split}, {environmentName}, {environmentId}
	Event     string // of Segment calls
	Property  string // treatment, or properties.NAME
	Where     []Cond
	Any       [][]Cond // at least one of them must hold whole; none: nothing asked
	NotServed string   // ignore, store or clear
	// ExpireAfter is how long a trait stays that is not seen; 0: for ever.
	ExpireAfter time.Duration
}

// Header is a header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record is a Kafka record.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp int64 // ms since 1970; -1 for none
	Key       []byte
	Value     []byte // nil for null
	Headers   []Header
}

// Key names a trait of a user.
type Key struct {
	Identity, User, Trait string
}

// JSON returns the key of the traits topic's records.
func (k Key) JSON() string {
	return `{"identity":` + quote(k.Identity) + `,"id":` + quote(k.User) + `,"trait":` + quote(k.Trait) + `}`
}

// Trait is what is known of a trait in the end.
type Trait struct {
	SeenAt  int64  // of the register, ms since 1970
	Version int64  // of the register
	Value   string // of the register, compact JSON; empty for none
	// Last is the last change that was sent, nil if there was none.
	Last *Change

	seen Sighting // the register
}

// Sighting is what an impression says of a trait: the change that it makes
// where it wins, without what was before.
type Sighting struct {
	Change
	Treatment   string // as the impression has it
	ExpireAfter time.Duration
}

// Change is a record of the traits topic.
type Change struct {
	Key         Key
	Value       string // compact JSON; empty for a removal
	Previous    string // compact JSON; empty for null
	SeenAt      int64  // ms since 1970
	Split       string
	Environment string // empty for null
	Label       string // empty for null
	FlagVersion int64
	Definition  string
	Source      Place
}

// Place is where an impression was read.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
	Index     int // among several of the record, from 0; else -1
}

// DeadLetter is an impression that was refused.
type DeadLetter struct {
	Record  Record
	Index   int  // among the elements of its record, from 0
	Several bool // the record holds more than one
	At      int  // where its own bytes begin in the record's value
	Stage   string
	Reason  string
	Value   []byte
}

// Result is what a run comes to.
type Result struct {
	Traits      map[Key]Trait
	Outcomes    []string // of each element in order: change, same, duplicate, late, not_served, no_match, skipped, dead_letter
	Changes     []Change
	DeadLetters []DeadLetter

	removed Removed
}

// Run processes the records in their order, from an empty state.
func Run(sources []Source, defs []Definition, maxClockAhead time.Duration, records []Record) Result {
	return RunWithin(Removed{}, sources, defs, maxClockAhead, records)
}

func (r *Result) run(sources []Source, defs []Definition, maxClockAhead time.Duration, records []Record) {
	for _, rec := range records {
		for _, src := range sources {
			if src.Topic == rec.Topic {
				r.record(src, defs, maxClockAhead, rec)
			}
		}
	}
}

func (r *Result) record(src Source, defs []Definition, ahead time.Duration, rec Record) {
	for i, e := range read(src, defs, ahead, rec) {
		switch {
		case e.skipped:
			r.Outcomes = append(r.Outcomes, "skipped")
		case e.reason != "":
			r.Outcomes = append(r.Outcomes, "dead_letter")
			r.DeadLetters = append(r.DeadLetters, DeadLetter{rec, i, e.place.Index >= 0, e.at, e.stage, e.reason, e.value})
		default:
			r.Outcomes = append(r.Outcomes, r.impression(defs, e.imp, e.place))
		}
	}
}

// Look returns what the impressions of a record say of traits, in their order,
// and how many elements the record has, good or bad. What is not served and
// ignored says nothing.
func Look(src Source, defs []Definition, maxClockAhead time.Duration, rec Record) (all []Sighting, elements int) {
	for _, e := range read(src, defs, maxClockAhead, rec) {
		elements++
		if !e.skipped && e.reason == "" {
			seen, _ := sightings(defs, e.imp, e.place)
			all = append(all, seen...)
		}
	}
	return all, elements
}

// read decodes the elements of a record, and refuses those with a clock that is
// ahead.
func read(src Source, defs []Definition, ahead time.Duration, rec Record) []element {
	elements := decode(src, events(defs), rec.Value)
	for i := range elements {
		e := &elements[i]
		e.place, e.stage = Place{rec.Topic, rec.Partition, rec.Offset, -1}, "decode"
		if len(elements) > 1 {
			e.place.Index = i
		}
		if e.reason == "" && !e.skipped && rec.Timestamp >= 0 && e.imp.seenAt-rec.Timestamp > ahead.Milliseconds() {
			e.stage, e.reason = "admit", "clock_ahead"
		}
	}
	return elements
}

func events(defs []Definition) map[string]bool {
	wanted := map[string]bool{}
	for _, d := range defs {
		wanted[d.Event] = true
	}
	return wanted
}
