package oracle

import (
	"encoding/json"
	"slices"
)

// impression is what an element tells, once it was found good.
type impression struct {
	identity string
	event    string // empty in Split's own shapes
	seenAt   int64
	version  int64
	// facts are all other texts by the names that conditions use: split,
	// treatment, label, and so on. What is absent is not there.
	facts      map[string]string
	properties map[string][]byte
}

// names lists by which names an export may write a fact or a field.
var names = map[string][]string{
	"key":                {"key", "keyName"},
	"split":              {"split", "feature", "testName", "splitName"},
	"treatment":          {"treatment"},
	"time":               {"time", "timestamp"},
	"splitVersionNumber": {"splitVersionNumber", "changeNumber", "splitVersion"},
	"label":              {"label"},
	"environmentName":    {"environmentName"},
	"environmentId":      {"environmentId"},
	"bucketingKey":       {"bucketingKey"},
	"trafficTypeId":      {"trafficTypeId"},
	"sdk":                {"sdk"},
	"sdkVersion":         {"sdkVersion"},
	"machineName":        {"machineName"},
	"machineIp":          {"machineIp", "machineIP"},
}

// meaning is the same the other way round.
var meaning = func() map[string]string {
	all := map[string]string{}
	for to, from := range names {
		for _, name := range from {
			all[name] = to
		}
	}
	return all
}()

// short holds the names that the bulk shape has beside those.
var short = map[string]string{
	"k": "key", "t": "treatment", "m": "time", "c": "splitVersionNumber", "r": "label", "b": "bucketingKey",
}

// missingReason tells which facts an impression must have.
var missingReason = map[string]string{
	"key": "missing_user", "split": "missing_flag", "treatment": "missing_treatment", "time": "missing_time",
}

// named returns an object's members under the one name of what they tell; of a
// user, say, "key", however the export calls it.
func named(object []member, but ...string) []member {
	var all []member
	for _, m := range object {
		if to, ok := meaning[m.name]; ok && !slices.Contains(but, to) {
			all = append(all, member{to, m.piece})
		}
	}
	return all
}

func only(object []member, name string) []member {
	var found []member
	for _, m := range object {
		if m.name == name {
			found = append(found, m)
		}
	}
	return found
}

// missing tells whether what was found is nothing, null or empty.
func missing(found []member) bool {
	return len(found) == 0 || len(found) == 1 && (kind(found[0].raw) == 'n' || string(found[0].raw) == `""`)
}

// reader collects what is found in an element, and what is wrong with it.
type reader struct {
	imp       impression
	malformed bool
	faults    map[string]string // reasons by fact
}

func newReader() *reader {
	return &reader{imp: impression{facts: map[string]string{}}, faults: map[string]string{}}
}

// read reads every fact and field of an element. Outside holds fields that
// stand around it, and count where the element does not tell.
func (r *reader) read(object, outside []member) {
	for _, fact := range []string{"key", "split", "treatment", "time", "splitVersionNumber", "label", "environmentName", "environmentId"} {
		found := only(object, fact)
		switch {
		case len(found) > 1:
			r.malformed = true
		case missing(found):
			r.faults[fact] = missingReason[fact]
		default:
			r.fact(fact, found[0].raw)
		}
	}
	for _, field := range []string{"bucketingKey", "trafficTypeId", "sdk", "sdkVersion", "machineName", "machineIp"} {
		s := plain(object, field)
		if s == "" {
			s = plain(outside, field)
		}
		if s != "" {
			r.imp.facts[field] = s
		}
	}
}

// plain returns a field that is no fact: what is no string is absent, and of
// several the last counts.
func plain(object []member, name string) string {
	last := ""
	for _, m := range only(object, name) {
		last = ""
		if kind(m.raw) == '"' {
			s, _ := text(m.raw)
			last = clean(s)
		}
	}
	return last
}

// fact reads a fact that is there.
func (r *reader) fact(fact string, raw []byte) {
	var s string
	valid := true
	if kind(raw) == '"' {
		s, valid = text(raw)
	}
	switch {
	case fact == "time":
		at, ok := timeOf(raw)
		r.malformed = r.malformed || !valid
		if !ok {
			r.faults[fact] = "bad_time"
		}
		r.imp.seenAt = at
	case fact == "splitVersionNumber":
		d, ok := numberOf(raw)
		n, whole, fits := d.integer()
		r.imp.version = n
		r.malformed = r.malformed || !ok || !whole || !fits
	case kind(raw) != '"':
		r.malformed = true
	case fact == "key" && (!valid || len(s) > 1024):
		r.faults[fact] = "bad_user"
	case !valid:
		r.malformed = true
	default:
		r.imp.facts[fact] = s
	}
}

// verdict tells what the element is.
func (r *reader) verdict(src Source) element {
	if r.malformed {
		return element{reason: "malformed"}
	}
	for _, fact := range []string{"key", "split", "treatment", "time"} {
		if reason := r.faults[fact]; reason != "" {
			return element{reason: reason}
		}
	}
	if r.imp.identity == "" {
		return element{skipped: true}
	}
	name, id := r.imp.facts["environmentName"], r.imp.facts["environmentId"]
	if name == "" && id == "" {
		name = src.Environment
	} else if name == "" {
		name = src.Environments[id]
	}
	if name != "" {
		r.imp.facts["environmentName"] = name
	}
	r.imp.facts["source"] = src.Topic
	return element{imp: r.imp}
}

// identity returns that of Split's own shapes.
func (s Source) identity(trafficType string) string {
	if s.ByTrafficType == nil {
		return s.Identity
	}
	if identity, ok := s.ByTrafficType[trafficType]; ok && trafficType != "" {
		return identity
	}
	return s.Else
}

// properties reads what "properties" holds: an object, or a string that holds
// one. Of a name that stands twice the last counts.
func properties(raw []byte) map[string][]byte {
	return byName(object(raw))
}

func byName(members []member) map[string][]byte {
	all := map[string][]byte{}
	for _, m := range members {
		all[m.name] = m.raw
	}
	return all
}

// object returns the members of an object, or of one that a string holds; nil
// where there is none.
func object(raw []byte) []member {
	if kind(raw) == '"' {
		s, _ := text(raw)
		raw = []byte(s)
		if !json.Valid(raw) {
			return nil
		}
	}
	if kind(raw) != '{' {
		return nil
	}
	return append([]member{}, members(piece{raw: raw})...)
}
