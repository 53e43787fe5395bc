package impression

// common is what a group tells of all its impressions. It is read once, so that
// a long flag costs a long list nothing.
type common struct {
	aliases   *aliases
	flag      []byte
	malformed string // what is wrong with the flag
	wanted    bool
	// From the object around the group.
	sdkVersion, machineName, machineIP []byte
}

// bulk decodes the group in top: a flag "f" and its impressions "i".
func (d *Decoder) bulk(own raw) {
	d.impressions(own, &d.top, nF, nI, &common{aliases: &bulkAliases})
}

// synchronizer decodes the Synchronizer's object in top, a list of groups, or
// one of the groups by itself.
func (d *Decoder) synchronizer(own raw) {
	o := &d.top
	c := common{aliases: &flatAliases}
	if !o.seen.has(nImpressions) {
		d.impressions(own, o, nTestName, nKeyImpressions, &c)
		return
	}
	if d.filter.Extras {
		c.sdkVersion = d.extra(o, outerAliases.sdkVersion)
		c.machineName = d.extra(o, outerAliases.machineName)
		c.machineIP = d.extra(o, outerAliases.machineIP)
	}
	g, i, done := d.list(own, o, nImpressions)
	for !done {
		r := raw{value: d.value, start: i, group: g}
		if d.value[i] == '{' {
			r.end = d.group.scan(&d.scanner, i, 0)
			d.impressions(r, &d.group, nTestName, nKeyImpressions, &c)
		} else {
			r.end, _ = d.scanner.value(i, 0)
			d.add(r).refuse(Malformed, notAnObject[typeName(d.value[i])])
		}
		i, done = d.scanner.next(r.end, ']')
	}
}

// impressions decodes the list of the group o.
func (d *Decoder) impressions(own raw, o *object, flag, list name, c *common) {
	f := facts{d: d}
	c.flag = f.text(o, setOf(flag))
	c.malformed = f.malformed
	c.wanted = d.wanted(c.flag)
	g, i, done := d.list(own, o, list)
	for !done {
		r := raw{value: d.value, start: i, group: g}
		if d.value[i] == '{' {
			r.end = d.inner.scan(&d.scanner, i, 0)
			d.grouped(d.add(r), c)
		} else {
			r.end, _ = d.scanner.value(i, 0)
			d.noObject(r)
		}
		i, done = d.scanner.next(r.end, ']')
	}
}

// list enters the list of a group. It has no items where it is missing, null or
// empty; a bad one makes the group a refused element.
func (d *Decoder) list(own raw, o *object, n name) (g *group, i int, done bool) {
	f := facts{d: d}
	_, t, ok := f.find(o, setOf(n))
	if ok && o.data[t.start] != '[' {
		f.fault(n, "is "+typeName(o.data[t.start])+", not an array")
	}
	switch {
	case f.malformed != "":
		d.add(own).refuse(Malformed, f.malformed)
		return nil, 0, true
	case !ok:
		return nil, 0, true
	}
	g = &group{start: own.start, end: own.end, listStart: t.start, listEnd: t.end, outer: own.group}
	i, done = d.scanner.open(t.start, 0, ']')
	return g, i, done
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
	m.SDKVersion = first(m.SDKVersion, c.sdkVersion)
	m.MachineName = first(m.MachineName, c.machineName)
	m.MachineIP = first(m.MachineIP, c.machineIP)
	d.properties(m, o)
}

// first returns a, or b where a is absent.
func first(a, b []byte) []byte {
	if a != nil {
		return a
	}
	return b
}
