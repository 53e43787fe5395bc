package impression

// common is what a group tells of all its impressions. It is read once, so that
// a long flag costs a long list nothing.
type common struct {
	aliases   *aliases
	flag      []byte
	malformed string // what is wrong with the flag
	wanted    bool
	extras    *Impression // from around the group
}

// bulk decodes the group in top: a flag "f" and its impressions "i".
func (d *Decoder) bulk(own raw) {
	d.impressions(own, &d.top, nF, nI, common{aliases: &bulkAliases, extras: &Impression{}})
}

// synchronizer decodes the Synchronizer's object in top, a list of groups, or
// one of the groups by itself.
func (d *Decoder) synchronizer(own raw) {
	o := &d.top
	c := common{aliases: &flatAliases, extras: &Impression{}}
	if !o.seen.has(nImpressions) {
		d.impressions(own, o, nTestName, nKeyImpressions, c)
		return
	}
	d.extras(c.extras, o, &outerAliases)
	d.each(own, o, nImpressions, func(s *scanner, r *raw) {
		if d.value[r.start] == '{' {
			r.end = d.group.scan(s, r.start, 0, nil, nil)
			d.impressions(*r, &d.group, nTestName, nKeyImpressions, c)
			return
		}
		r.end, _ = s.value(r.start, 0)
		d.add(*r).refuse(Malformed, "a group is "+typeName(d.value[r.start])+", not an object")
	})
}

// impressions decodes the list of the group o.
func (d *Decoder) impressions(own raw, o *object, flag, list name, c common) {
	f := facts{d: d}
	c.flag = f.text(o, setOf(flag))
	c.malformed = f.malformed
	c.wanted = d.wanted(c.flag)
	d.each(own, o, list, func(s *scanner, r *raw) {
		if d.value[r.start] == '{' {
			r.end = d.inner.scan(s, r.start, 0, nil, nil)
			d.grouped(d.add(*r), &c)
			return
		}
		r.end, _ = s.value(r.start, 0)
		d.noObject(*r)
	})
}

// grouped decodes the impression of a group that was scanned into inner.
func (d *Decoder) grouped(e *Element, c *common) {
	o, m := &d.inner, &e.Impression
	f := facts{d: d, malformed: c.malformed}
	m.Flag = c.flag
	if !d.complete(&f, e, o, c.aliases) || !c.wanted {
		return
	}
	d.extras(m, o, c.aliases)
	m.SDKVersion = first(m.SDKVersion, c.extras.SDKVersion)
	m.MachineName = first(m.MachineName, c.extras.MachineName)
	m.MachineIP = first(m.MachineIP, c.extras.MachineIP)
	d.properties(m, o)
}

func first(a, b []byte) []byte {
	if a != nil {
		return a
	}
	return b
}

// each calls decode for each item of a group's list; it gets the item's start
// and sets its end. A list that is missing or null has none, and a bad one
// makes the group a refused element.
func (d *Decoder) each(own raw, o *object, n name, decode func(*scanner, *raw)) {
	f := facts{d: d}
	_, list, ok := f.find(o, setOf(n))
	if ok && o.data[list.start] != '[' {
		f.fault(n, "is "+typeName(o.data[list.start])+", not an array")
	}
	if f.malformed != "" {
		d.add(own).refuse(Malformed, f.malformed)
		return
	}
	if !ok {
		return
	}
	g := &group{start: own.start, end: own.end, listStart: list.start, listEnd: list.end, outer: own.group}
	s := scanner{data: d.value}
	i, done := s.open(list.start, 0, ']')
	for !done {
		r := raw{value: d.value, start: i, group: g}
		decode(&s, &r)
		i, done = s.next(r.end, ']')
	}
}
