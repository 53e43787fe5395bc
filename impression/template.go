package impression

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Objects that come one after the other have the same structure, and many of
// the same values: a source's are written by a few programs. A template is what
// two of them had in common, byte for byte, with places for the values that
// differ. An object that fits one is scanned by comparing memory, and only its
// own values are looked at. It then is JSON, since what it was made of is and
// none of the values can end early or late, and it has the same members at
// places that follow.
//
// Whatever does not fit is scanned in full, so templates change nothing but the
// time that it takes.
type template struct {
	sample      []byte
	values      []sampleValue // those that may differ, in order
	marks       []mark        // of the sample, in order
	program     []step
	noted       []mark // of the program's steps
	there       [objects]bool
	seen, twice [objects]names
	reading     *reading // nil for none, or none yet
	odd         bool     // none can be made
}

// The objects that are noted in one scan: the object itself, and those under
// "properties" and "impression".
const objects = 3

// sampleValue is a string or a number of a template's sample.
type sampleValue struct {
	token
	from, to int // what is compared: a string's inside, a whole number
	object   uint8
	name     name // 0: not noted
	varies   bool
	differs  bool // from the sample, in the object that was learnt last
}

// mark is a place that is noted: where an object or a noted value begins or ends.
type mark struct {
	at     int // in the sample; in a step from the begin of its literal
	object uint8
	name   name // 0: the object itself
	end    bool
	flags  flags
}

// step is a literal that must stand there, and the value behind it.
type step struct {
	literal []byte
	marks   []mark
	kind    valueKind
	object  uint8
	name    name
}

type valueKind uint8

const (
	lastStep valueKind = iota // no value comes
	plainText
	plainNumber
)

// fits compares the object at i, and notes in values what stands where it may
// differ, by step. It returns the place after the object, or -1.
func (t *template) fits(data []byte, i int, values *[maxValues]token) int {
	for n := range t.program {
		s := &t.program[n]
		end := i + len(s.literal)
		if end > len(data) || string(data[i:end]) != string(s.literal) {
			return -1
		}
		switch i = end; s.kind {
		case plainText:
			end, f := plain(data, i)
			if end < 0 {
				return -1
			}
			values[n] = token{start: i - 1, end: end + 1, flags: f}
			i = end
		case plainNumber:
			number := scanner{data: data}
			if i == len(data) {
				return -1
			}
			end := number.number(i)
			if end < 0 {
				return -1
			}
			values[n] = token{start: i, end: end}
			i = end
		default:
			return i
		}
	}
	return -1
}

// note notes in o the members of an object at i that fits and has the values.
func (t *template) note(data []byte, i int, values *[maxValues]token, o *object) {
	into := [objects]*object{o, o.properties, o.impression}
	for n := range t.program {
		s := &t.program[n]
		for k := range s.marks {
			m := &s.marks[k]
			m.note(into[m.object], i+m.at)
		}
		if s.kind == lastStep {
			break
		}
		if s.name != 0 {
			into[s.object].at[s.name] = values[n]
		}
		if i = values[n].end; s.kind == plainText {
			i-- // the quote is the next literal's
		}
	}
	t.fill(data, &into)
}

func (m *mark) note(o *object, at int) {
	switch {
	case m.name == 0 && m.end:
		o.end = at
	case m.name == 0:
		o.start = at
	case m.end:
		o.at[m.name].end = at
	default:
		o.at[m.name] = token{start: at, flags: m.flags}
	}
}

// fill sets what is the same for all objects that fit.
func (t *template) fill(data []byte, into *[objects]*object) {
	for n, o := range into {
		if t.there[n] {
			o.data, o.seen, o.twice = data, t.seen[n], t.twice[n]
		}
	}
}

// plain scans the inside of a string without escapes, from i on. The end is the
// place of the closing quote, or negative where there is none.
func plain(data []byte, i int) (end int, f flags) {
	for i+8 <= len(data) {
		stop := asciiStops(binary.LittleEndian.Uint64(data[i:]))
		if stop == 0 {
			i += 8
			continue
		}
		if i += bits.TrailingZeros64(stop) / 8; data[i] == '"' {
			return i, 0
		}
		break
	}
	s := scanner{data: data}
	end, f = s.str(i - 1)
	if f&escaped != 0 {
		return -1, 0
	}
	return end - 1, f
}

// learn takes in an object that is valid JSON and did not match: if it has the
// structure, the values in which it differs from the sample have a place from now
// on.
func (t *template) learn(object []byte) bool {
	i, before := 0, 0
	for n := range t.values {
		v := &t.values[n]
		literal := t.sample[before:v.from]
		if !bytes.HasPrefix(object[i:], literal) {
			return false
		}
		i += len(literal)
		end := i
		switch {
		case t.sample[v.start] == '"':
			end, _ = plain(object, i)
		case i < len(object):
			number := scanner{data: object}
			end = number.number(i)
		}
		if end < i {
			return false
		}
		v.differs = !bytes.Equal(object[i:end], t.sample[v.from:v.to])
		i, before = end, v.to
	}
	if !bytes.Equal(object[i:], t.sample[before:]) {
		return false
	}
	for n := range t.values {
		t.values[n].varies = t.values[n].varies || t.values[n].differs
	}
	t.compile()
	return true
}

// compile makes the program: a step for each value that varies.
func (t *template) compile() {
	t.reading, t.odd = nil, false
	t.program, t.noted = t.program[:0], slices.Grow(t.noted[:0], len(t.marks)) // steps have parts of it
	from, marks := 0, t.marks
	add := func(to int, s step) {
		s.literal = t.sample[from:to]
		first := len(t.noted)
		for len(marks) > 0 && marks[0].at <= to {
			if m := marks[0]; !t.within(m) {
				m.at -= from
				t.noted = append(t.noted, m)
			}
			marks = marks[1:]
		}
		s.marks = t.noted[first:]
		t.program = append(t.program, s)
	}
	for _, v := range t.values {
		if !v.varies {
			continue
		}
		kind := plainNumber
		if t.sample[v.start] == '"' {
			kind = plainText
		}
		add(v.from, step{kind: kind, object: v.object, name: v.name})
		from = v.to
	}
	add(len(t.sample), step{})
}

// within tells whether a mark is of a value that varies, which its step notes.
func (t *template) within(m mark) bool {
	if m.name == 0 {
		return false
	}
	for _, v := range t.values {
		if v.varies && v.object == m.object && (m.at == v.start || m.at == v.end) {
			return true
		}
	}
	return false
}
