package oracle

import (
	"cmp"
	"slices"
	"strings"
)

// register is what S1 orders.
type register struct {
	seenAt, version  int64
	treatment, value string // value is empty for none
}

func (a register) compare(b register) int {
	return cmp.Or(
		cmp.Compare(a.seenAt, b.seenAt),
		cmp.Compare(a.version, b.version),
		strings.Compare(a.treatment, b.treatment),
		strings.Compare(a.value, b.value),
	)
}

// outcomes are in the order in which one of several is counted, where several
// traits want one impression.
var outcomes = []string{"change", "same", "duplicate", "late", "not_served", "no_match"}

// impression merges a good impression into all traits that want it, and returns
// its outcome.
func (r *Result) impression(defs []Definition, imp impression, place Place) string {
	best := "no_match"
	done := map[string]bool{}
	for _, d := range defs {
		name, value, ok := d.matches(imp)
		if !ok || done[name] {
			continue
		}
		done[name] = true
		outcome := "not_served"
		if imp.served() || d.NotServed != "ignore" {
			key := Key{imp.identity, imp.facts["key"], name}
			if !imp.served() && d.NotServed == "clear" {
				value = ""
			}
			outcome = r.merge(key, d, imp, value, place)
			if value == "" && outcome != "change" {
				outcome = "not_served"
			}
		}
		if slices.Index(outcomes, outcome) < slices.Index(outcomes, best) {
			best = outcome
		}
	}
	return best
}

func (r *Result) merge(key Key, d Definition, imp impression, val string, place Place) string {
	t, known := r.Traits[key]
	next := register{imp.seenAt, imp.version, imp.facts["treatment"], val}
	if known {
		switch c := next.compare(t.register); {
		case c == 0:
			return "duplicate"
		case c < 0:
			return "late"
		}
	}
	t.register = next
	t.SeenAt, t.Version, t.Value = imp.seenAt, imp.version, val
	sent := ""
	if t.Last != nil {
		sent = t.Last.Value
	}
	outcome := "same"
	if val != sent {
		outcome = "change"
		t.Last = &Change{
			Key: key, Value: val, Previous: sent, SeenAt: imp.seenAt,
			Split: imp.facts["split"], Environment: imp.facts["environmentName"], Label: imp.facts["label"],
			FlagVersion: imp.version, Definition: d.Name, Source: place,
		}
		r.Changes = append(r.Changes, *t.Last)
	}
	r.Traits[key] = t
	return outcome
}
