package oracle

import (
	"cmp"
	"slices"
	"strings"
)

// Compare orders sightings of one trait as S1 does: the greatest is last.
func (s Sighting) Compare(o Sighting) int {
	return cmp.Or(
		cmp.Compare(s.SeenAt, o.SeenAt),
		cmp.Compare(s.FlagVersion, o.FlagVersion),
		strings.Compare(s.Treatment, o.Treatment),
		strings.Compare(s.Value, o.Value),
	)
}

// outcomes are in the order in which one of several is counted, where several
// traits want one impression.
var outcomes = []string{"change", "same", "duplicate", "late", "not_served", "no_match"}

// impression merges a good impression into all traits that want it, and returns
// its outcome.
func (r *Result) impression(defs []Definition, imp impression, place Place) string {
	best := "no_match"
	better := func(outcome string) {
		if slices.Index(outcomes, outcome) < slices.Index(outcomes, best) {
			best = outcome
		}
	}
	all, ignored := sightings(defs, imp, place)
	if ignored {
		better("not_served")
	}
	for _, s := range all {
		if r.removed.Forgets(s) || r.removed.Expires(s) {
			better("late")
			continue
		}
		outcome := r.merge(s)
		if s.Value == "" && outcome != "change" {
			outcome = "not_served"
		}
		better(outcome)
	}
	return best
}

// sightings returns what a good impression says of all traits that want it, and
// whether some ignore it since it was not served.
func sightings(defs []Definition, imp impression, place Place) (all []Sighting, ignored bool) {
	done := map[string]bool{}
	for _, d := range defs {
		name, value, ok := d.matches(imp)
		if !ok || done[name] {
			continue
		}
		done[name] = true
		if !imp.served() && d.NotServed == "ignore" {
			ignored = true
			continue
		}
		if !imp.served() && d.NotServed == "clear" {
			value = ""
		}
		all = append(all, Sighting{Treatment: imp.facts["treatment"], ExpireAfter: d.ExpireAfter, Change: Change{
			Key: Key{imp.identity, imp.facts["key"], name}, Value: value, SeenAt: imp.seenAt,
			Split: imp.facts["split"], Environment: imp.facts["environmentName"], Label: imp.facts["label"],
			FlagVersion: imp.version, Definition: d.Name, Source: place,
		}})
	}
	return all, ignored
}

func (r *Result) merge(s Sighting) string {
	t, known := r.Traits[s.Key]
	if known {
		switch c := s.Compare(t.seen); {
		case c == 0:
			return "duplicate"
		case c < 0:
			return "late"
		}
	}
	t.seen, t.SeenAt, t.Version, t.Value = s, s.SeenAt, s.FlagVersion, s.Value
	sent := ""
	if t.Last != nil {
		sent = t.Last.Value
	}
	outcome := "same"
	if s.Value != sent {
		outcome = "change"
		change := s.Change
		change.Previous = sent
		t.Last = &change
		r.Changes = append(r.Changes, change)
	}
	r.Traits[s.Key] = t
	return outcome
}
