package impression

import "slices"

// Decoder reads the records of one source. It is not safe for concurrent use.
type Decoder struct {
	source Source
	filter Filter
	shape  shape

	environment  []byte
	environments map[string][]byte
	events       [][]byte

	calendar calendar
	arena    arena
	scanner  scanner
	top      object // an element's object
	inner    object // a listener's impression, or one of a group
	props    object // Segment's properties
	group    object // of the Synchronizer, within top

	// The record at hand.
	value []byte
	out   []Element
	base  int // where its elements begin in out
}

// NewDecoder returns a decoder for records of the source; a format that is none
// of Formats is read as Auto. It keeps the maps and slices that it is given and
// does not change them.
func NewDecoder(src Source, filter Filter) *Decoder {
	d := &Decoder{source: src, filter: filter, shape: shapeOf(src.Format)}
	d.top.properties, d.top.impression = &d.props, &d.inner
	if src.Environment != "" {
		d.environment = []byte(src.Environment)
	}
	if len(src.Environments) > 0 {
		d.environments = make(map[string][]byte, len(src.Environments))
		for id, name := range src.Environments {
			if name != "" {
				d.environments[id] = []byte(name)
			}
		}
	}
	for _, event := range filter.Events {
		d.events = append(d.events, []byte(event))
	}
	return d
}

// Decode appends the elements of one record's value to dst, in document order.
// A nil value stands for a record without one. What the elements refer to is
// valid until Reset, and while value is not changed.
func (d *Decoder) Decode(dst []Element, value []byte) []Element {
	d.value, d.out, d.base = value, dst, len(dst)
	d.scanner = scanner{data: value}
	if message := d.record(); message != "" {
		d.out = d.out[:d.base]
		e := d.add(raw{value: value, end: len(value), alone: true})
		e.refuse(Malformed, message)
	}
	if out := d.out[d.base:]; len(out) > 1 {
		out[0].Several = true
	}
	out := d.out
	d.value, d.out = nil, nil
	return out
}

// Reset takes back the memory that decoded elements refer to, for the next
// batch.
func (d *Decoder) Reset() {
	d.arena.reset()
}

// record decodes the record at hand and returns what makes it malformed as a
// whole.
func (d *Decoder) record() (fault string) {
	s := &d.scanner
	i := s.space(0)
	var end int
	switch {
	case d.value == nil:
		return "a null record value"
	case i == len(d.value):
		return "an empty record value"
	case d.value[i] == '[':
		end = d.array(i)
	default:
		end = d.element(i, 0)
	}
	if s.finish(end) < 0 {
		return s.faultMessage()
	}
	return ""
}

// array decodes the elements of the record's array.
func (d *Decoder) array(i int) int {
	s := &d.scanner
	i, done := s.open(i, 0, ']')
	for !done {
		end := d.element(i, 1)
		i, done = s.next(end, ']')
	}
	return i
}

// element decodes what stands at i, an element or a group of them, with depth
// containers around it.
func (d *Decoder) element(i, depth int) int {
	s := &d.scanner
	if i < len(d.value) && d.value[i] == '{' {
		t, end := d.top.known.match(d.value, i)
		switch {
		case t == nil:
			if end = d.top.study(s, i, depth); end >= 0 {
				d.object(depth == 0)
			}
		case !d.again(t, i, end, depth == 0):
			t.note(d.value, i, &d.top.known.values, &d.top)
			d.prepare(t, d.object(depth == 0))
		}
		return end
	}
	end, _ := s.value(i, depth)
	if end >= 0 {
		d.noObject(raw{value: d.value, start: i, end: end, alone: depth == 0})
	}
	return end
}

// noObject refuses an element that is no object.
func (d *Decoder) noObject(r raw) {
	d.add(r).refuse(UnknownShape, notAnObject[typeName(r.value[r.start])])
}

// add appends the next element of the record.
func (d *Decoder) add(r raw) *Element {
	e := d.room()
	*e = Element{}
	e.Impression.Topic = d.source.Topic
	d.take(e, r)
	return e
}

// room returns the place of the next element, with whatever is there.
func (d *Decoder) room() *Element {
	n := len(d.out)
	if n == cap(d.out) {
		// Elements are large: append would copy a long slice too often.
		d.out = slices.Grow(d.out, max(n, 16))
	}
	return &d.out[:n+1][n]
}

// take appends what was written into the room.
func (d *Decoder) take(e *Element, r raw) {
	e.Index = len(d.out) - d.base
	e.Several = e.Index > 0
	e.raw = r
	d.out = d.out[:len(d.out)+1]
}

// refuse makes the element a refused one.
func (e *Element) refuse(reason Reason, message string) {
	e.Impression = Impression{Topic: e.Impression.Topic}
	e.Outcome, e.Reason, e.Message = Refused, reason, message
}

// skip makes the element a skipped one.
func (e *Element) skip() {
	e.Impression = Impression{Topic: e.Impression.Topic}
	e.Outcome = Skipped
}
