package impression

// flat decodes an object that holds all its facts itself.
func (d *Decoder) flat(e *Element, o *object, a *aliases) {
	f := facts{d: d}
	m := &e.Impression
	m.Flag = f.text(o, a.flag)
	if d.complete(&f, e, o, a) && d.wanted(m.Flag) {
		d.extras(m, o, a)
		d.properties(m, o)
	}
}

// listener decodes an object with an impression in it.
func (d *Decoder) listener(e *Element) {
	o := &d.top
	f := facts{d: d}
	n, t, ok := f.find(o, setOf(nImpression))
	switch {
	case f.malformed != "":
		e.refuse(Malformed, f.malformed)
		return
	case !ok:
		e.refuse(MissingUser, `no user key: "impression" is null`)
		return
	case o.data[t.start] != '{':
		f.fault(n, "is "+typeName(o.data[t.start])+", not an object")
		e.refuse(Malformed, f.malformed)
		return
	}
	in, m := &d.inner, &e.Impression
	m.Flag = f.text(in, flatAliases.flag)
	if d.complete(&f, e, in, &flatAliases) && d.wanted(m.Flag) {
		d.extras(m, in, &flatAliases)
		d.extras(m, o, &outerAliases)
		d.properties(m, in)
	}
}

// complete decodes the facts of one of Split's impressions, whose flag was read
// already, and tells whether it was accepted.
func (d *Decoder) complete(f *facts, e *Element, o *object, a *aliases) bool {
	m := &e.Impression
	_, m.User, _ = f.rawText(o, a.user)
	var there bool
	m.SeenAt, there = f.time(o, a.time)
	f.noTime = !there
	f.rest(m, o, a)
	if !f.judge(e) {
		return false
	}
	m.Identity = d.identity(o, a)
	if m.Identity == 0 {
		e.skip()
		return false
	}
	return true
}

// identity returns the source's identity of an impression, 0 to skip it.
func (d *Decoder) identity(o *object, a *aliases) Identity {
	if d.source.ByTrafficType != nil {
		if i, ok := d.source.ByTrafficType[string(d.extra(o, a.trafficType))]; ok {
			return i
		}
	}
	return d.source.Identity
}

// wanted tells whether some definition may want the flag.
func (d *Decoder) wanted(flag []byte) bool {
	if d.filter.Flags == nil {
		return true
	}
	_, ok := d.filter.Flags[string(flag)]
	return ok
}
