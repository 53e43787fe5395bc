package impression

import "bytes"

// prepare makes a reading of the template that the object in top fits, which was
// read in full as the last element of the shape.
func (d *Decoder) prepare(t *template, sh shape) {
	if sh != segment && sh != flat && sh != listener || t.odd || d.filter.Extras || len(d.filter.Properties) > 0 {
		return // extras and properties are looked up in each object
	}
	e := &d.out[len(d.out)-1]
	if e.Outcome != Accepted && (e.Outcome != Skipped || sh != segment) {
		return
	}
	home, of := d.home(sh)
	r := reading{same: e.Impression, outcome: e.Outcome}
	for n := range t.program {
		s := &t.program[n]
		switch f := d.factOf(s, sh, e); f {
		case noFact:
			continue
		case unforeseen:
			t.odd = true
			return
		case environmentNameFact, environmentIDFact:
			r.environment = true
			fallthrough
		default:
			r.tells = append(r.tells, tell{step: n, fact: f, text: s.kind == plainText})
		}
	}
	if r.environment {
		f := facts{d: d}
		r.same.EnvironmentName = f.text(home, of.environmentName)
	}
	r.same.own()
	t.reading = &r
}

// own copies the bytes of an impression, which else keep a record alive.
func (m *Impression) own() {
	for _, b := range []*[]byte{&m.User, &m.Flag, &m.Treatment, &m.Label, &m.EnvironmentName, &m.EnvironmentID} {
		*b = bytes.Clone(*b)
	}
}

// home returns the object that holds all facts, or in a call of Segment most of
// them, and their names there.
func (d *Decoder) home(sh shape) (*object, *aliases) {
	switch sh {
	case segment:
		return &d.props, &segmentAliases
	case listener:
		return &d.inner, &flatAliases
	}
	return &d.top, &flatAliases
}

// factOf tells what is read of a step's value in objects that are read like e.
func (d *Decoder) factOf(s *step, sh shape, e *Element) fact {
	home, of := d.home(sh)
	into := [...]*object{&d.top, &d.props, &d.inner, unnoted: nil}
	switch {
	case sh == segment && s.object == 0:
		return d.callFact(s.name, e)
	case e.Outcome == Skipped || into[s.object] != home:
		return noFact
	case sh != segment && d.source.ByTrafficType != nil && of.trafficType.has(s.name):
		return unforeseen // it gives the identity
	}
	return of.fact(s.name)
}

// callFact tells what is read of a value of a Segment call.
func (d *Decoder) callFact(n name, e *Element) fact {
	switch {
	case n == nType || n == nEvent:
		return unforeseen // it tells whether the call is skipped
	case e.Outcome == Skipped:
		return noFact
	case n == nProperties:
		return unforeseen // a string with an object in it
	case n == nUserID && e.Impression.Identity == User, n == nAnonymousID && e.Impression.Identity == Anonymous:
		return userFact
	case n == nUserID:
		return unforeseen // it is empty this time, and goes before the other
	}
	missing := true // all better times
	for _, better := range segmentTimes {
		switch {
		case better == n && !missing:
			return noFact
		case better == n && d.top.missing(n):
			return unforeseen // as above
		case better == n:
			return timeFact
		}
		missing = missing && d.top.missing(better)
	}
	return noFact
}

// missing tells whether a fact counts as missing under a name.
func (o *object) missing(n name) bool {
	if !o.seen.has(n) {
		return true
	}
	text := string(o.at[n].bytes(o.data))
	return text == "null" || text == `""`
}

// fact tells which one stands under a name.
func (a *aliases) fact(n name) fact {
	switch {
	case a.user.has(n):
		return userFact
	case a.flag.has(n):
		return flagFact
	case a.treatment.has(n):
		return treatmentFact
	case a.time.has(n):
		return timeFact
	case a.version.has(n):
		return versionFact
	case a.label.has(n):
		return labelFact
	case a.environmentName.has(n):
		return environmentNameFact
	case a.environmentID.has(n):
		return environmentIDFact
	}
	return noFact
}
