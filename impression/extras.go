package impression

import (
	"math/bits"
	"unicode/utf8"
)

// extras fills in what only conditions look at, as far as it is missing yet.
func (d *Decoder) extras(m *Impression, o *object, a *aliases) {
	if !d.filter.Extras {
		return
	}
	d.fill(&m.BucketingKey, o, a.bucketingKey)
	d.fill(&m.TrafficTypeID, o, a.trafficType)
	d.fill(&m.SDK, o, a.sdk)
	d.fill(&m.SDKVersion, o, a.sdkVersion)
	d.fill(&m.MachineName, o, a.machineName)
	d.fill(&m.MachineIP, o, a.machineIP)
}

func (d *Decoder) fill(to *[]byte, o *object, of names) {
	if *to == nil {
		*to = d.extra(o, of)
	}
}

// extra returns the first member of the names that is a string and not empty,
// else nil. It is no fact: whatever else stands there counts as none.
func (d *Decoder) extra(o *object, of names) []byte {
	for set := o.seen & of; set != 0; set &= set - 1 {
		t := o.at[bits.TrailingZeros64(uint64(set))]
		if t.kind(o.data) == String {
			if b := d.lossyText(o.data, t); b != nil {
				return b
			}
		}
	}
	return nil
}

// lossyText returns what a string token means, with U+FFFD for what is not
// UTF-8; nil stands for the empty one.
func (d *Decoder) lossyText(data []byte, t token) []byte {
	b := d.unquote(data, t)
	if t.flags == 0 || utf8.Valid(b) {
		return b
	}
	return clean(d.arena.lend(len(b)*len("\uFFFD")), b)
}

// properties picks the values that the filter names out of the object that
// "properties" is, or holds in a string. Anything else counts as none.
func (d *Decoder) properties(m *Impression, o *object) {
	if len(d.filter.Properties) == 0 {
		return
	}
	m.Properties = d.arena.lendValues(len(d.filter.Properties))
	if !o.seen.has(nProperties) {
		return
	}
	t := o.at[nProperties]
	switch o.data[t.start] {
	case '{':
		d.pick(m.Properties, t.bytes(o.data))
	case '"':
		content := d.unquote(o.data, t)
		s := scanner{data: content}
		if start, end := s.whole(); end >= 0 && content[start] == '{' {
			d.pick(m.Properties, content[start:])
		}
	}
}

// pick reads the object that data begins with, which was scanned before. The
// last of two members of the same name counts.
func (d *Decoder) pick(values []Value, data []byte) {
	s := &scanner{data: data}
	i, done := s.open(0, 0, '}')
	for !done {
		end, f, at := s.name(i)
		text := data[i+1 : end-1]
		if f&escaped != 0 {
			d.top.scratch = unescape(d.top.scratch[:0], text)
			text = d.top.scratch
		}
		t := token{start: at}
		t.end, t.flags = s.value(at, 1)
		for n, wanted := range d.filter.Properties {
			if string(text) == wanted {
				values[n] = d.propertyValue(data, t)
			}
		}
		i, done = s.next(t.end, '}')
	}
}

func (d *Decoder) propertyValue(data []byte, t token) Value {
	v := Value{Kind: t.kind(data), JSON: t.bytes(data)}
	switch v.Kind {
	case Absent:
		return Value{}
	case String:
		v.Text = d.lossyText(data, t)
		if v.Text == nil {
			v.Text = v.JSON[1:1]
		}
	default:
		v.Text = v.JSON
	}
	return v
}
