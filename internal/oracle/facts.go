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

// names lists under which names an export may write a fact or a field.
var names = map[string][]string{
	"key":                {"key", "keyName", "k"},
	"split":              {"split", "feature", "testName", "f", "splitName"},
	"treatment":          {"treatment", "t"},
	"time":               {"time", "m", "timestamp"},
	"splitVersionNumber": {"splitVersionNumber", "changeNumber", "c", "splitVersion"},
	"label":              {"label", "r"},
	"environmentName":    {"environmentName"},
	"environmentId":      {"environmentId"},
	"bucketingKey":       {"bucketingKey", "b"},
	"trafficTypeId":      {"trafficTypeId"},
	"sdk":                {"sdk"},
	"sdkVersion":         {"sdkVersion"},
	"machineName":        {"machineName"},
	"machineIp":          {"machineIp", "machineIP"},
}

// reader collects what is found in an element, and the first that is wrong.
type reader struct {
	imp       impression
	malformed bool
	missing   string // reason of the first missing fact
	bad       string // reason of the first bad one, where none is missing
}

// decodeFlat reads an impression whose members stand side by side. Outer holds
// what stands around it and counts for it.
func decodeFlat(src Source, object, outer []member) element {
	r := reader{imp: impression{facts: map[string]string{}}}
	r.all(append(append([]member{}, object...), outer...))
	if raw, ok := find(object, "properties"); ok {
		r.imp.properties, _ = properties(raw)
	}
	r.imp.identity = src.identity(r.imp.facts["trafficTypeId"])
	return r.element(src)
}

func (s Source) identity(trafficType string) string {
	if s.ByTrafficType == nil {
		return s.Identity
	}
	if identity, ok := s.ByTrafficType[trafficType]; ok && trafficType != "" {
		return identity
	}
	return s.Else
}

func decodeSegment(src Source, events map[string]bool, raw []byte) element {
	outer := members(raw)
	call, event := plain(outer, "type"), plain(outer, "event")
	if call != "" && call != "track" || !events[event] {
		return element{skipped: true}
	}
	r := reader{imp: impression{facts: map[string]string{}, event: event}}
	var inner []member
	if raw, ok := find(outer, "properties"); ok {
		var good bool
		r.imp.properties, good = properties(raw)
		r.malformed = !good
		for _, m := range object(raw) {
			if !slices.Contains([]string{"key", "time", "timestamp"}, m.name) {
				inner = append(inner, m)
			}
		}
	}
	id, identity := only(outer, "userId"), "user"
	if missing(id) {
		id, identity = only(outer, "anonymousId"), "anonymous"
	}
	for _, m := range id {
		inner = append(inner, member{"key", m.raw})
	}
	for _, name := range []string{"timestamp", "originalTimestamp", "sentAt", "receivedAt"} {
		if at := only(outer, name); !missing(at) {
			for _, m := range at {
				inner = append(inner, member{"time", m.raw})
			}
			break
		}
	}
	r.imp.identity = identity
	r.all(inner)
	return r.element(src)
}

// only returns the members of one name.
func only(object []member, name string) []member {
	return pick(object, map[string]string{name: name})
}

// missing tells whether a fact that stands there once is null or empty.
func missing(found []member) bool {
	return len(found) == 0 || len(found) == 1 && (kind(found[0].raw) == 'n' || string(found[0].raw) == `""`)
}

// plain returns a field that is no fact: what is no string is absent.
func plain(object []member, name string) string {
	raw, ok := find(object, name)
	if !ok || kind(raw) != '"' {
		return ""
	}
	s, _ := text(raw)
	return s
}

// all reads every fact and field.
func (r *reader) all(object []member) {
	for _, fact := range []string{"key", "split", "treatment", "time", "splitVersionNumber", "label", "environmentName", "environmentId"} {
		var found []member
		for _, m := range object {
			if slices.Contains(names[fact], m.name) {
				found = append(found, m)
			}
		}
		if len(found) > 1 {
			r.malformed = true
			continue
		}
		if missing(found) {
			if reason, ok := missingReason[fact]; ok && r.missing == "" {
				r.missing = reason
			}
			continue
		}
		r.fact(fact, found[0].raw)
	}
	for _, field := range []string{"bucketingKey", "trafficTypeId", "sdk", "sdkVersion", "machineName", "machineIp"} {
		for _, name := range names[field] {
			if s := plain(object, name); s != "" {
				r.imp.facts[field] = s
			}
		}
	}
}

var missingReason = map[string]string{
	"key": "missing_user", "split": "missing_flag", "treatment": "missing_treatment", "time": "missing_time",
}

// fact reads one that is there.
func (r *reader) fact(fact string, raw []byte) {
	var s string
	clean := true
	if kind(raw) == '"' {
		s, clean = text(raw)
	}
	switch {
	case fact == "time":
		at, ok := timeOf(raw)
		if !clean {
			r.malformed = true
		} else if !ok {
			r.fault("bad_time")
		}
		r.imp.seenAt = at
	case fact == "splitVersionNumber":
		d, ok := numberOf(raw)
		n, whole, fits := d.integer()
		r.imp.version = n
		r.malformed = r.malformed || !ok || !whole || !fits
	case kind(raw) != '"':
		r.malformed = true
	case fact == "key" && (!clean || len(s) > 1024):
		r.fault("bad_user")
	case !clean:
		r.malformed = true
	default:
		r.imp.facts[fact] = s
	}
}

func (r *reader) fault(reason string) {
	if r.bad == "" {
		r.bad = reason
	}
}

// element gives the verdict.
func (r *reader) element(src Source) element {
	switch {
	case r.malformed:
		return element{reason: "malformed"}
	case r.missing != "":
		return element{reason: r.missing}
	case r.bad != "":
		return element{reason: r.bad}
	case r.imp.identity == "":
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

// properties reads what "properties" holds: an object, or a string that holds
// one; null and the empty string are none. It tells whether it is one of these.
func properties(raw []byte) (map[string][]byte, bool) {
	if kind(raw) == 'n' || string(raw) == `""` {
		return nil, true
	}
	found := object(raw)
	all := map[string][]byte{}
	for _, m := range found {
		all[m.name] = m.raw
	}
	return all, found != nil
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
	return append([]member{}, members(raw)...)
}
