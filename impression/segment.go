package impression

import "bytes"

// segmentTimes are the names of the time, best first.
var segmentTimes = [...]name{nTimestamp, nOriginalTimestamp, nSentAt, nReceivedAt}

// segment decodes a call of Segment. Other calls than the tracks of the
// filter's events are skipped before their facts are looked at.
func (d *Decoder) segment(e *Element) {
	event := d.event()
	if event == nil {
		e.skip()
		return
	}
	o := &d.top
	f := facts{d: d}
	m := &e.Impression
	m.Event = event
	f.segmentUser(m, o)
	props := f.segmentProperties(o)
	m.Flag = f.text(props, segmentAliases.flag)
	f.segmentTime(m, o)
	f.rest(m, props, &segmentAliases)
	if f.judge(e) && d.wanted(m.Flag) {
		d.extras(m, props, &segmentAliases)
		d.properties(m, o)
	}
}

// event returns the event of a track call that the filter names, else nil.
func (d *Decoder) event() []byte {
	o := &d.top
	if call := d.extra(o, setOf(nType)); call != nil && string(call) != "track" {
		return nil
	}
	name := d.extra(o, setOf(nEvent))
	if name == nil {
		return nil
	}
	for _, event := range d.events {
		if bytes.Equal(name, event) {
			return event
		}
	}
	return nil
}

// segmentUser takes userId, else anonymousId.
func (f *facts) segmentUser(m *Impression, o *object) {
	m.Identity = User
	_, m.User, _ = f.rawText(o, setOf(nUserID))
	if m.User != nil || f.malformed != "" {
		f.once(o, nAnonymousID)
		return
	}
	m.Identity = Anonymous
	_, m.User, _ = f.rawText(o, setOf(nAnonymousID))
}

// once notes a fault if a name stands twice.
func (f *facts) once(o *object, n name) {
	if o.twice.has(n) {
		f.fault(n, "stands twice in an object")
	}
}

// segmentTime takes the first time that is not missing.
func (f *facts) segmentTime(m *Impression, o *object) {
	f.noTime = true
	for _, n := range segmentTimes {
		f.once(o, n)
		if f.noTime {
			var there bool
			m.SeenAt, there = f.time(o, setOf(n))
			f.noTime = !there
		}
	}
}

// segmentProperties returns the object that holds the other facts; an empty one
// where it is missing.
func (f *facts) segmentProperties(o *object) *object {
	props := &f.d.props
	n, t, ok := f.find(o, setOf(nProperties))
	if ok {
		switch o.data[t.start] {
		case '{':
			return props
		case '"':
			if f.d.scanContent(o, t) {
				return props
			}
			f.fault(n, "is a string that holds no JSON object")
		default:
			f.fault(n, "is "+typeName(o.data[t.start])+", not an object")
		}
	}
	*props = object{scratch: props.scratch}
	return props
}

// scanContent notes the members of the object that a string token holds.
func (d *Decoder) scanContent(o *object, t token) bool {
	content := d.unquote(o.data, t)
	s := scanner{data: content}
	i := s.space(0)
	if i == len(content) || content[i] != '{' {
		return false
	}
	return s.finish(d.props.scan(&s, i, 0)) >= 0
}
