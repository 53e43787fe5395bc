package impression

// raw tells where an element stands in its record.
type raw struct {
	value      []byte
	start, end int
	group      *group // around it, or nil
	alone      bool   // the record is this element and no array
}

// group is an object with a list of elements, as raw needs it.
type group struct {
	start, end         int
	listStart, listEnd int
	outer              *group // whose list holds this one, or nil
}

// Raw returns the element as a record that stands alone: of an array the
// element's own bytes, of a group the objects around it with this element alone
// in their lists, else the record's value as it is. Decoded again, it gives
// this element, save that an array within an array then counts as a record of
// several. The result may be part of the record's value; nil is a null value.
func (e *Element) Raw() []byte {
	r, own := &e.raw, e.Bytes()
	if r.alone || r.group == nil {
		return own
	}
	size := len(own)
	for g := r.group; g != nil; g = g.outer {
		size += g.listStart + 1 - g.start + g.end - (g.listEnd - 1)
	}
	b := appendHeads(make([]byte, 0, size), r.value, r.group)
	b = append(b, own...)
	for g := r.group; g != nil; g = g.outer {
		b = append(b, r.value[g.listEnd-1:g.end]...)
	}
	return b
}

// Bytes returns the element's own bytes, without the objects around it.
func (e *Element) Bytes() []byte {
	r := &e.raw
	if r.alone {
		return r.value
	}
	return r.value[r.start:r.end:r.end]
}

// appendHeads appends what stands before the elements of g's list, outermost
// object first.
func appendHeads(b, value []byte, g *group) []byte {
	if g == nil {
		return b
	}
	b = appendHeads(b, value, g.outer)
	return append(b, value[g.start:g.listStart+1]...)
}

// Offset returns where the element's own bytes begin in the record's value, 0
// where the record was refused as a whole.
func (e *Element) Offset() int {
	return e.raw.start
}

// StandFor makes record what Raw and Bytes return: a record that is no JSON, from
// which the element was made as the only one.
func (e *Element) StandFor(record []byte) {
	e.raw = raw{value: record, end: len(record), alone: true}
}

// RefuseRecord returns the element of a record that can't be decoded at all.
func RefuseRecord(topic string, record []byte, reason Reason, message string) Element {
	var e Element
	e.Impression.Topic = topic
	e.refuse(reason, message)
	e.StandFor(record)
	return e
}
