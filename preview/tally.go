package preview

import (
	"traitstream/impression"
	"traitstream/trait"
)

// ClockAhead is the reason of an impression that lies too far after its record.
const ClockAhead impression.Reason = "clock_ahead"

// mostFlags bounds the flags that are told apart.
const mostFlags = 10_000

// tally counts what was read. It serves one goroutine.
type tally struct {
	records, impressions, skipped int64
	noMatch, notServed            int64
	refused                       map[impression.Reason]int64
	first, last                   int64 // timestamps of records, ms; 0: none has one
	definitions                   []definitionTally
	flags                         map[string]*flagTally
	trial                         *trait.Trial
}

type flagTally struct {
	impressions int64
	wanted      bool // by a definition
}

// definitionTally counts what comes of a definition.
type definitionTally struct {
	impressions             int64
	first, changed, removed int64 // changes that would have been sent
	days                    map[int64]int64
	passed                  crowd // users who were met and not kept
}

func newTally(set *trait.Set) *tally {
	return &tally{
		refused: map[impression.Reason]int64{}, definitions: make([]definitionTally, set.Len()),
		flags: map[string]*flagTally{}, trial: set.NewTrial(),
	}
}

func (t *tally) record(timestamp int64) {
	t.records++
	if timestamp < 0 {
		return
	}
	if t.first == 0 || timestamp < t.first {
		t.first = timestamp
	}
	t.last = max(t.last, timestamp)
}

// verdict counts what the definitions made of an impression of a flag.
func (t *tally) verdict(v trait.Verdict, flag []byte) {
	f := t.flags[string(flag)]
	if f == nil {
		f = &flagTally{}
		if len(t.flags) < mostFlags {
			t.flags[string(flag)] = f
		}
	}
	f.impressions++
	f.wanted = f.wanted || v != trait.NoMatch
	switch v {
	case trait.NoMatch:
		t.noMatch++
	case trait.NotServed:
		t.notServed++
	}
}

const day = 24 * 60 * 60 * 1000 // ms

// mostDays bounds the days that are told apart; records whose clocks were wrong
// may lie anywhere.
const mostDays = 10_000

// change counts one that would have been sent, for as many users as the weight
// says.
func (d *definitionTally) change(outcome trait.Outcome, had bool, weight, timestamp int64) {
	switch {
	case outcome == trait.Removed:
		d.removed += weight
	case had:
		d.changed += weight
	default:
		d.first += weight
	}
	d.onDay(timestamp/day, weight)
}

func (d *definitionTally) onDay(at, changes int64) {
	if d.days == nil {
		d.days = map[int64]int64{}
	}
	if _, known := d.days[at]; known || len(d.days) < mostDays {
		d.days[at] += changes
	}
}

// add takes in what another one has counted.
func (t *tally) add(o *tally) {
	t.records += o.records
	t.impressions += o.impressions
	t.skipped += o.skipped
	t.noMatch += o.noMatch
	t.notServed += o.notServed
	for reason, n := range o.refused {
		t.refused[reason] += n
	}
	if o.first > 0 && (t.first == 0 || o.first < t.first) {
		t.first = o.first
	}
	t.last = max(t.last, o.last)
	for i := range t.definitions {
		t.definitions[i].add(&o.definitions[i])
	}
	for name, theirs := range o.flags {
		mine := t.flags[name]
		if mine == nil && len(t.flags) < mostFlags {
			mine = &flagTally{}
			t.flags[name] = mine
		}
		if mine != nil {
			mine.impressions += theirs.impressions
			mine.wanted = mine.wanted || theirs.wanted
		}
	}
	t.trial.Add(o.trial)
}

func (d *definitionTally) add(o *definitionTally) {
	d.impressions += o.impressions
	d.first += o.first
	d.changed += o.changed
	d.removed += o.removed
	for at, n := range o.days {
		d.onDay(at, n)
	}
	d.passed.join(&o.passed)
}
