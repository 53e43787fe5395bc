package impression

import "slices"

// What a template may be made of: larger objects are groups of many.
const (
	maxSample = 4 << 10 // bytes
	maxValues = 64
)

// maker makes a template of an object that was scanned and is valid JSON.
type maker struct {
	t  *template
	s  scanner
	o  [objects]*object
	ok bool
}

// lists are the names under which groups have their elements.
var lists = setOf(nImpressions, nKeyImpressions, nI)

// remake makes a template of the object in data, as o has noted it, and tells
// whether the object is good for that.
func (t *template) remake(data []byte, o *object) bool {
	if len(data) > maxSample || o.seen&lists != 0 {
		return false
	}
	*t = template{
		sample: append(t.sample[:0], data...),
		values: t.values[:0], marks: t.marks[:0], program: t.program[:0], noted: t.noted[:0],
	}
	m := maker{t: t, o: [objects]*object{o, o.properties, o.impression}, ok: true}
	m.s = scanner{data: t.sample}
	m.object(0, 0)
	if !m.ok || len(t.values) > maxValues {
		return false
	}
	for n, o := range m.o {
		if o != nil {
			t.seen[n], t.twice[n] = o.seen, o.twice
		}
	}
	slices.SortStableFunc(t.marks, func(a, b mark) int { return a.at - b.at })
	t.compile()
	return true
}

// unnoted is the number of objects whose members nobody wants.
const unnoted = objects

// object takes in the object at i and returns the place after it.
func (m *maker) object(i int, number uint8) int {
	if number != unnoted {
		m.t.there[number] = true
		m.mark(mark{at: i, object: number})
	}
	i, done := m.s.open(i, 0, '}')
	for !done {
		end, f, at := m.s.name(i)
		n := name(0)
		if number != unnoted {
			text := m.s.data[i+1 : end-1]
			if f&escaped != 0 {
				text = unescape(nil, text)
			}
			n = lookup(text)
		}
		i, done = m.s.next(m.value(at, number, n), '}')
	}
	if number != unnoted {
		m.mark(mark{at: i, object: number, end: true})
	}
	return i
}

// value takes in the value at i of a name.
func (m *maker) value(i int, number uint8, n name) int {
	var end int
	var f flags
	switch m.s.data[i] {
	case '{':
		end = m.object(i, m.inner(number, n))
	case '[':
		end = m.array(i)
	case '"':
		end, f = m.s.str(i)
		m.ok = m.ok && f&escaped == 0
		m.add(sampleValue{token: token{i, end, f}, from: i + 1, to: end - 1, object: number, name: n})
	case 't', 'f', 'n':
		end, _ = m.s.value(i, 0)
	default:
		end = m.s.number(i)
		m.add(sampleValue{token: token{i, end, 0}, from: i, to: end, object: number, name: n})
	}
	if n != 0 {
		m.mark(mark{at: i, object: number, name: n, flags: f})
		m.mark(mark{at: end, object: number, name: n, end: true})
	}
	return end
}

func (m *maker) array(i int) int {
	i, done := m.s.open(i, 0, ']')
	for !done {
		i, done = m.s.next(m.value(i, unnoted, 0), ']')
	}
	return i
}

// inner returns the number of the object under a name.
func (m *maker) inner(number uint8, n name) uint8 {
	switch {
	case number != 0:
	case n == nProperties && m.o[1] != nil:
		return 1
	case n == nImpression && m.o[2] != nil:
		return 2
	}
	return unnoted
}

func (m *maker) add(v sampleValue) { m.t.values = append(m.t.values, v) }

func (m *maker) mark(k mark) { m.t.marks = append(m.t.marks, k) }
