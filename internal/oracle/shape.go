package oracle

import (
	"bytes"
	"encoding/json"
	"slices"
)

// element is one place of a record.
type element struct {
	imp     impression
	place   Place
	skipped bool
	stage   string
	reason  string
	at      int    // where its own bytes begin in the record's value
	value   []byte // what a dead letter holds
	alone   bool   // no group is around it
}

// decode reads all elements of a record's value.
func decode(src Source, events map[string]bool, value []byte) []element {
	if !json.Valid(value) {
		return []element{{reason: "malformed", value: value}}
	}
	if kind(value) != '[' {
		start := len(value) - len(bytes.TrimLeft(value, blanks))
		all := decodeOne(src, events, piece{bytes.Trim(value, blanks), start})
		for i := range all {
			if all[i].alone {
				all[i].value = value
			}
		}
		return all
	}
	var all []element
	for _, one := range items(piece{raw: value}) {
		all = append(all, decodeOne(src, events, one)...)
	}
	return all
}

func decodeOne(src Source, events map[string]bool, one piece) []element {
	if kind(one.raw) != '{' {
		return []element{{reason: "unknown_shape", value: one.raw, at: one.at, alone: true}}
	}
	shape := src.Format
	if shape == "auto" {
		shape = shapeOf(members(one))
	}
	var all []element
	switch shape {
	case "segment":
		all = []element{decodeSegment(src, events, members(one))}
	case "split-listener":
		all = []element{decodeListener(src, members(one))}
	case "split-synchronizer":
		all = decodeSynchronizer(src, one)
	case "split-bulk":
		all = decodeGroup(src, one, "f", "i", nil)
	case "split-webhook", "split-export", "avro": // the last as the JSON that it is turned into
		object := members(one)
		all = []element{decodeFlat(src, object, named(object), nil)}
	default:
		all = []element{{reason: "unknown_shape"}}
	}
	for i := range all {
		if all[i].value == nil {
			all[i].value, all[i].at, all[i].alone = one.raw, one.at, true
		}
	}
	return all
}

// shapeOf tells the shape by the names that an object has.
func shapeOf(object []member) string {
	has := map[string]bool{}
	for _, m := range object {
		has[m.name] = true
	}
	switch {
	case has["impression"]:
		return "split-listener"
	case has["impressions"]:
		return "split-synchronizer"
	case has["f"] || has["i"]:
		return "split-bulk"
	case has["type"] || has["event"]:
		return "segment"
	case has["splitName"] || has["splitVersion"] || has["receptionTimestamp"]:
		return "split-export"
	case has["split"] || has["feature"] || has["key"] && (has["treatment"] || has["time"]):
		return "split-webhook"
	}
	return ""
}

func decodeListener(src Source, outer []member) element {
	found := only(outer, "impression")
	switch {
	case len(found) == 0:
		return element{reason: "unknown_shape"}
	case len(found) > 1:
		return element{reason: "malformed"}
	case kind(found[0].raw) == 'n':
		return element{reason: "missing_user"}
	case kind(found[0].raw) != '{':
		return element{reason: "malformed"}
	}
	outside := pick(outer, map[string]string{
		"ip": "machineIp", "hostname": "machineName", "sdkLanguageVersion": "sdkVersion",
	})
	inner := members(found[0].piece)
	return decodeFlat(src, inner, named(inner), outside)
}

// decodeFlat reads an impression whose members stand side by side, of which
// facts are those under the names of what they tell.
func decodeFlat(src Source, object, facts, outside []member) element {
	r := newReader()
	r.read(facts, outside)
	for _, m := range only(object, "properties") {
		r.imp.properties = properties(m.raw)
	}
	r.imp.identity = src.identity(r.imp.facts["trafficTypeId"])
	return r.verdict(src)
}

func decodeSynchronizer(src Source, one piece) []element {
	outer := members(one)
	groups := only(outer, "impressions")
	if len(groups) == 0 {
		if len(only(outer, "keyImpressions")) > 0 {
			return decodeGroup(src, one, "testName", "keyImpressions", nil)
		}
		return []element{{reason: "unknown_shape"}}
	}
	list, bad := listOf(groups)
	if bad {
		return []element{{reason: "malformed"}}
	}
	outside := pick(outer, map[string]string{
		"machineIP": "machineIp", "machineIp": "machineIp", "machineName": "machineName", "sdkVersion": "sdkVersion",
	})
	var all []element
	for _, group := range list {
		for _, e := range decodeGroup(src, group, "testName", "keyImpressions", outside) {
			if e.value == nil {
				e.value, e.at = group.raw, group.at
			}
			e.value = alone(one, "impressions", e.value)
			all = append(all, e)
		}
	}
	return all
}

// listOf returns the elements of what stands under a list's name: none of a
// missing one.
func listOf(found []member) (list []piece, bad bool) {
	if missing(found) && (len(found) == 0 || kind(found[0].raw) == 'n') {
		return nil, false
	}
	if len(found) > 1 || kind(found[0].raw) != '[' {
		return nil, true
	}
	return items(found[0].piece), false
}

// decodeGroup reads the impressions of one flag.
func decodeGroup(src Source, raw piece, flag, list string, outside []member) []element {
	if kind(raw.raw) != '{' {
		return []element{{reason: "malformed"}}
	}
	group := members(raw)
	if flag == "f" && len(only(group, "f"))+len(only(group, "i")) == 0 {
		return []element{{reason: "unknown_shape"}}
	}
	impressions, bad := listOf(only(group, list))
	if bad {
		return []element{{reason: "malformed"}}
	}
	var all []element
	for _, one := range impressions {
		e := element{reason: "unknown_shape"}
		if kind(one.raw) == '{' {
			inner := members(one)
			facts := named(inner, "split")
			if flag == "f" {
				facts = append(facts, pick(inner, short)...)
			}
			facts = append(facts, pick(group, map[string]string{flag: "split"})...)
			e = decodeFlat(src, inner, facts, outside)
		}
		e.value, e.at = alone(raw, list, one.raw), one.at
		all = append(all, e)
	}
	return all
}

// alone returns an object with all but one element of a list taken away.
func alone(object piece, list string, one []byte) []byte {
	found := only(members(object), list)[0]
	start := found.at - object.at
	return slices.Concat(object.raw[:start], []byte("["), one, []byte("]"), object.raw[start+len(found.raw):])
}

// pick returns the members that have one of the names, renamed.
func pick(object []member, names map[string]string) []member {
	var picked []member
	for _, m := range object {
		if to, ok := names[m.name]; ok {
			picked = append(picked, member{to, m.piece})
		}
	}
	return picked
}
