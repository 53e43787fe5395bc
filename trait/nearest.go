package trait

import (
	"bytes"
	"maps"
	"slices"
	"strings"
)

// mostValues bounds the values that a condition which never held remembers, and
// longestValue their length, in bytes.
const (
	mostValues   = 1000
	longestValue = 256
)

// values are those that a condition was held against in vain.
type values struct {
	seen    map[string]struct{}
	last    []byte // the one before
	closest []byte // to what an operator of numbers or times asks for, which keeps no others
}

// note takes a value.
func (v *values) note(c *Condition, text []byte) {
	if len(text) > longestValue || bytes.Equal(v.last, text) {
		return
	}
	v.last = append(v.last[:0], text...)
	if c.operator.nearer != nil {
		if c.operator.nearer(text, v.closest) {
			v.closest = append(v.closest[:0], text...)
		}
		return
	}
	if _, known := v.seen[string(text)]; !known && len(v.seen) < mostValues {
		if v.seen == nil {
			v.seen = map[string]struct{}{}
		}
		v.seen[string(text)] = struct{}{}
	}
}

func (v *values) add(c *Condition, o *values) {
	for _, text := range slices.Sorted(maps.Keys(o.seen)) {
		v.note(c, []byte(text))
	}
	if o.closest != nil {
		v.note(c, o.closest)
	}
}

// nearest returns the value that is most like what the condition asks for.
func (v *values) nearest(c *Condition) string {
	if c.operator.nearer != nil {
		return string(v.closest)
	}
	best, least := "", -1
	for _, text := range slices.Sorted(maps.Keys(v.seen)) {
		for _, o := range c.operands {
			d := distance(strings.ToLower(text), strings.ToLower(string(o.text)))
			if least < 0 || d < least {
				best, least = text, d
			}
		}
	}
	return best
}

// nearerNumber tells whether a number is greater (sign 1) or smaller (-1) than
// another, or the first.
func nearerNumber(sign int) func(text, than []byte) bool {
	return func(text, than []byte) bool {
		n, ok := parseNumber(text)
		o, known := parseNumber(than)
		return ok && (!known || sign*n.compare(o) > 0)
	}
}

// nearerInstant does so with times.
func nearerInstant(sign int64) func(text, than []byte) bool {
	return func(text, than []byte) bool {
		at, ok := parseInstant(text)
		other, known := parseInstant(than)
		return ok && (!known || sign*at > sign*other)
	}
}
