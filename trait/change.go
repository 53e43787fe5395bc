package trait

import "bytes"

// Change is the way from one set of definitions to the next while both are in use:
// what is new is computed beside what there is, until it takes its place.
type Change struct {
	// Both holds the old definitions and, as Match.New, those that are new.
	Both *Set
	// New holds those that are new alone.
	New *Set
	// Next holds all of the next set; those that are new are marked Match.New.
	Next *Set
	gone map[string]bool // by the texts of the names of the old ones
	kept []rule
}

// NewChange compares two sets. A definition is kept where the next set has it as it
// was, whatever its description and when its traits expire; one that may feed
// the traits of one that goes counts as gone and new, since what is known of those
// traits does not tell which of the two it came from.
func NewChange(old, next *Set) *Change {
	kept := map[string]bool{}
	for i := range next.rules {
		for j := range old.rules {
			if sameRule(&next.rules[i], &old.rules[j]) {
				kept[next.rules[i].Name.text] = true
			}
		}
	}
	for more := true; more; {
		more = false
		for i := range old.rules {
			for j := range old.rules {
				gone, other := &old.rules[i], &old.rules[j]
				if !kept[gone.Name.text] && kept[other.Name.text] && coincide(gone, other) {
					delete(kept, other.Name.text)
					more = true
				}
			}
		}
	}
	c := &Change{gone: map[string]bool{}}
	var both, fresh, all []rule
	for i := range old.rules {
		both = append(both, old.rules[i].again(false))
		c.gone[old.rules[i].Name.text] = !kept[old.rules[i].Name.text]
	}
	for i := range next.rules {
		isNew := !kept[next.rules[i].Name.text]
		if !isNew {
			c.kept = append(c.kept, next.rules[i].again(false))
		}
		all = append(all, next.rules[i].again(isNew))
		if isNew {
			both = append(both, next.rules[i].again(true))
			fresh = append(fresh, next.rules[i].again(true))
		}
	}
	c.Both, c.New, c.Next = setOf(both), setOf(fresh), setOf(all)
	c.Both.apart = true
	return c
}

// again returns a copy of a rule for another set.
func (r *rule) again(fresh bool) rule {
	copied, _ := newRule(r.Definition) // it was good before
	copied.fresh = fresh
	return copied
}

func setOf(rules []rule) *Set {
	s := &Set{rules: rules}
	s.filter = newFilter(rules)
	s.resolve()
	s.hash = hashRules(rules)
	return s
}

func sameRule(a, b *rule) bool {
	one, other := hashRules([]rule{*a}), hashRules([]rule{*b})
	return bytes.Equal(one[:], other[:])
}

// Keeps tells whether what is known of a trait stays: where the definition is kept that
// fed it last or, if none of the old ones did, one that can yield its name.
func (c *Change) Keeps(name []byte, rec *Record) bool {
	if gone, known := c.gone[rec.Emitted.Facts.Definition]; rec.Emitted.Sent && known {
		return !gone
	}
	for i := range c.kept {
		if c.kept[i].canYield(string(name)) {
			return true
		}
	}
	return false
}

// Shadow is what a register that is computed beside the one in use is kept under:
// the trait's name behind a byte that no name has, and the generation of the
// definitions.
func Shadow(generation uint32, name []byte) []byte {
	shadow := []byte{shadowByte, byte(generation >> 24), byte(generation >> 16), byte(generation >> 8), byte(generation)}
	return append(shadow, name...)
}

const (
	shadowByte = 0xff // names are UTF-8
	shadowLen  = 5
)

// Unshadow returns the name and the generation of a shadow. It is false for any
// other name.
func Unshadow(name []byte) (trait []byte, generation uint32, ok bool) {
	if len(name) < shadowLen || name[0] != shadowByte {
		return name, 0, false
	}
	generation = uint32(name[1])<<24 | uint32(name[2])<<16 | uint32(name[3])<<8 | uint32(name[4])
	return name[shadowLen:], generation, true
}

// Replace makes a register that was computed beside the one in use take its place,
// and says what must go out for it. Shadow is its record, whose emission was never
// sent; generation is that of its definitions. Rec keeps no slice of it.
func (rec *Record) Replace(app string, k Key, shadow *Record, generation uint32) Outcome {
	rec.Seen = shadow.Seen
	rec.Seen.Treatment, rec.Seen.Value = bytes.Clone(shadow.Seen.Treatment), bytes.Clone(shadow.Seen.Value)
	last, in := &rec.Emitted, &shadow.Emitted
	if in.Value == nil && last.Value == nil || in.Value != nil && bytes.Equal(in.Value, last.Value) {
		return Same
	}
	next := *in
	next.Value = bytes.Clone(in.Value)
	next.Facts.Flag, next.Facts.Label = bytes.Clone(in.Facts.Flag), bytes.Clone(in.Facts.Label)
	next.Facts.Environment = bytes.Clone(in.Facts.Environment)
	next.Sent, next.Previous, next.Generation = true, last.Value, generation
	next.Reason, next.Removes = "", [16]byte{}
	outcome := Changed
	if in.Value == nil {
		next.Reason, next.Removes = notServed, ChangeID(app, k, last)
		if shadow.Seen.Value != nil { // that was seen, and is not to be sent
			next.Reason = DefinitionRemoved
		}
		outcome = Removed
	}
	if !in.Sent { // none was all that was ever seen
		next.SeenAt, next.Version, next.Facts.Place.Timestamp = rec.Seen.SeenAt, rec.Seen.Version, rec.Seen.SeenAt
	}
	*last = next
	return outcome
}

// Adds tells whether anything is new.
func (c *Change) Adds() bool { return len(c.New.rules) > 0 }
