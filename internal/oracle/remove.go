package oracle

import "time"

// Removed tells what was taken away from the traits. What was seen no later counts
// no more, whenever it comes.
type Removed struct {
	// Forgotten is up to when users were forgotten, ms since 1970. A key without a
	// trait stands for all of its user.
	Forgotten map[Key]int64
	// Clock is that of the task of a user, ms since 1970; nil: nothing expires.
	Clock func(user string) int64
}

// Forgets tells whether a sighting is of before its trait was forgotten.
func (r Removed) Forgets(s Sighting) bool {
	user := s.Key
	user.Trait = ""
	for _, k := range []Key{user, s.Key} {
		if until, ok := r.Forgotten[k]; ok && s.SeenAt <= until {
			return true
		}
	}
	return false
}

// Expires tells whether a trait would have expired that was last seen so.
func (r Removed) Expires(s Sighting) bool {
	if s.ExpireAfter == 0 || r.Clock == nil {
		return false
	}
	return s.SeenAt+s.ExpireAfter.Milliseconds() <= r.Clock(s.Key.User)
}

// RunWithin is Run where something was taken away: what comes out is what is left.
func RunWithin(removed Removed, sources []Source, defs []Definition, maxClockAhead time.Duration, records []Record) Result {
	r := Result{Traits: map[Key]Trait{}, removed: removed}
	r.run(sources, defs, maxClockAhead, records)
	return r
}
