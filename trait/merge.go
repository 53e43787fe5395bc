package trait

import (
	"bytes"
	"cmp"
)

// Outcome tells what became of an impression that was merged.
type Outcome uint8

// The outcomes of merging.
const (
	Changed   Outcome = iota // a new value goes out
	Removed                  // the value went away: a removal goes out
	Same                     // newer, but of the value that was last sent
	Duplicate                // equal to what was last seen
	Late                     // before what was last seen
)

// String returns the word by which metrics count the outcome.
func (o Outcome) String() string {
	switch o {
	case Changed, Removed:
		return "change"
	case Same:
		return "same"
	case Duplicate:
		return "duplicate"
	}
	return "late"
}

// notServed is the reason of a removal by an impression under Clear.
const notServed = "not_served"

// Compare returns -1, 0 or 1 as r was seen before, equals, or was seen after o
// (S1): by time, then flag version, then the bytes of treatment and value. None
// stands before any value.
func (r Register) Compare(o Register) int {
	return cmp.Or(
		cmp.Compare(r.SeenAt, o.SeenAt),
		cmp.Compare(r.Version, o.Version),
		bytes.Compare(r.Treatment, o.Treatment),
		bytes.Compare(r.Value, o.Value),
	)
}

// Merge merges what was seen into the record of trait k (S1, S3, S4) and says
// what became of it. After Changed or Removed, Emitted is what must go out. The
// zero record was never seen and loses to every impression. The record keeps
// the slices of in and facts. App and k count only for the id of the change
// that a removal removes, generation is that of the definitions.
func (rec *Record) Merge(app string, k Key, in Register, facts Facts, generation uint32) Outcome {
	switch in.Compare(rec.Seen) {
	case 0:
		return Duplicate
	case -1:
		return Late
	}
	rec.Seen = in
	last := &rec.Emitted
	if in.Value == nil && last.Value == nil || in.Value != nil && bytes.Equal(in.Value, last.Value) {
		return Same
	}
	next := Emission{
		Sent:       true,
		Value:      in.Value,
		Previous:   last.Value,
		SeenAt:     in.SeenAt,
		Version:    in.Version,
		Facts:      facts,
		Generation: generation,
	}
	outcome := Changed
	if in.Value == nil {
		next.Reason = notServed
		next.Removes = ChangeID(app, k, last)
		outcome = Removed
	}
	*last = next
	return outcome
}

// See merges what was seen into the record like Merge, but sends nothing: what is
// to be sent goes with the next impression that is merged.
func (rec *Record) See(in Register) Outcome {
	switch in.Compare(rec.Seen) {
	case 0:
		return Duplicate
	case -1:
		return Late
	}
	rec.Seen = in
	return Same
}
