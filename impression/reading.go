package impression

import "unicode/utf8"

// reading is what the objects that fit a template tell alike: which member holds
// which fact, whether one stands twice, and most of what they say follow from the
// template. It was found out by reading one of them in full. Of the others only
// the values are read that differ and that count; where one of these is not as
// usual, such as a user that is empty, the object is read in full as well.
type reading struct {
	same        Impression
	outcome     Outcome // Accepted, or Skipped
	tells       []tell
	environment bool // whether the environment's name must be looked up
}

// tell is a step whose value is a fact.
type tell struct {
	step int
	fact fact
	text bool // a string, no number
}

// fact is what a value is read as.
type fact uint8

const (
	noFact fact = iota
	userFact
	flagFact
	treatmentFact
	timeFact
	versionFact
	labelFact
	environmentNameFact
	environmentIDFact
	unforeseen // it decides how the others are read
)

// again reads the object of d.value that fits t, from start to end, by t's
// reading. It reports false where it must be read in full.
func (d *Decoder) again(t *template, start, end int, alone bool) bool {
	r := t.reading
	if r == nil {
		return false
	}
	e := d.room()
	e.Impression = r.same
	for i := range r.tells {
		s := &r.tells[i]
		v := &d.top.known.values[s.step]
		if ok := s.text && d.text(&e.Impression, s.fact, v) || !s.text && d.number(&e.Impression, s.fact, v); !ok {
			return false
		}
	}
	if r.environment {
		d.nameEnvironment(&e.Impression)
	}
	d.take(e, raw{value: d.value, start: start, end: end, alone: alone})
	e.Outcome, e.Reason, e.Message = r.outcome, "", ""
	return true
}

// text reads a fact that is a string without escapes.
func (d *Decoder) text(m *Impression, f fact, t *token) bool {
	b := d.value[t.start+1 : t.end-1 : t.end-1]
	if t.flags != 0 && !utf8.Valid(b) {
		return false
	}
	if len(b) == 0 {
		b = nil
	}
	switch f {
	case userFact:
		m.User = b
		return len(b) > 0 && len(b) <= maxUser
	case flagFact:
		m.Flag = b
		return len(b) > 0
	case treatmentFact:
		m.Treatment = b
		return len(b) > 0
	case labelFact:
		m.Label = b
	case environmentNameFact:
		m.EnvironmentName = b
	case environmentIDFact:
		m.EnvironmentID = b
	case timeFact:
		return d.textTime(m, b)
	case versionFact:
		return isNumber(b) && m.setVersion(b)
	}
	return true
}

// textTime reads a time in a string.
func (d *Decoder) textTime(m *Impression, b []byte) (ok bool) {
	if m.SeenAt, ok = d.calendar.time(b); ok {
		return true
	}
	ms, fault := parseTime(b)
	if fault != "" {
		return false
	}
	m.SeenAt = ms
	d.calendar.turn(b, ms)
	return true
}

// number reads a fact that is a number.
func (d *Decoder) number(m *Impression, f fact, t *token) bool {
	b := d.value[t.start:t.end]
	if f == versionFact {
		return m.setVersion(b)
	}
	ms, fault := parseMillis(b)
	m.SeenAt = ms
	return fault == ""
}

// setVersion sets the version to a JSON number, if it is one of 64 bits.
func (m *Impression) setVersion(b []byte) bool {
	v, exact, fits := parseInt(b)
	m.Version = v
	return exact && fits
}
