package oracle

import (
	"bytes"
	"encoding/json"
)

// element is one place of a record.
type element struct {
	imp     impression
	skipped bool
	reason  string
	value   []byte // what a dead letter holds
}

// decode reads all elements of a record's value.
func decode(src Source, events map[string]bool, value []byte) []element {
	if !json.Valid(value) {
		return []element{{reason: "malformed", value: value}}
	}
	if kind(value) != '[' {
		return decodeOne(src, events, value)
	}
	var all []element
	for _, raw := range items(value) {
		all = append(all, decodeOne(src, events, raw)...)
	}
	return all
}

func decodeOne(src Source, events map[string]bool, raw []byte) []element {
	if kind(raw) != '{' {
		return []element{{reason: "unknown_shape", value: raw}}
	}
	shape := src.Format
	if shape == "auto" {
		shape = shapeOf(members(raw))
	}
	var all []element
	switch shape {
	case "segment":
		all = []element{decodeSegment(src, events, raw)}
	case "split-listener":
		all = []element{decodeListener(src, raw)}
	case "split-synchronizer":
		all = decodeSynchronizer(src, raw)
	case "split-bulk":
		all = decodeGroup(src, raw, "f", "i", nil)
	case "split-webhook", "split-export":
		all = []element{decodeFlat(src, members(raw), nil)}
	default:
		all = []element{{reason: "unknown_shape"}}
	}
	for i := range all {
		if all[i].value == nil {
			all[i].value = raw
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

func decodeListener(src Source, raw []byte) element {
	outer := members(raw)
	inner, found := find(outer, "impression")
	if !found {
		return element{reason: "unknown_shape"}
	}
	switch kind(inner) {
	case 'n':
		return element{reason: "missing_user"}
	case '{':
		extras := pick(outer, map[string]string{"ip": "machineIp", "hostname": "machineName", "sdkLanguageVersion": "sdkVersion"})
		return decodeFlat(src, members(inner), extras)
	}
	return element{reason: "malformed"}
}

func decodeSynchronizer(src Source, raw []byte) []element {
	outer := members(raw)
	groups, found := find(outer, "impressions")
	if !found {
		return []element{{reason: "unknown_shape"}}
	}
	if kind(groups) == 'n' {
		return nil
	}
	if kind(groups) != '[' {
		return []element{{reason: "malformed"}}
	}
	extras := pick(outer, map[string]string{"machineIP": "machineIp", "machineIp": "machineIp", "machineName": "machineName", "sdkVersion": "sdkVersion"})
	var all []element
	for _, group := range items(groups) {
		for _, e := range decodeGroup(src, group, "testName", "keyImpressions", extras) {
			if e.value == nil {
				e.value = group
			}
			e.value = alone(raw, "impressions", e.value)
			all = append(all, e)
		}
	}
	return all
}

// decodeGroup reads the impressions of one flag.
func decodeGroup(src Source, raw []byte, flag, list string, extras []member) []element {
	if kind(raw) != '{' {
		return []element{{reason: "unknown_shape"}}
	}
	group := members(raw)
	impressions, found := find(group, list)
	if !found || kind(impressions) == 'n' {
		return nil
	}
	if kind(impressions) != '[' {
		return []element{{reason: "malformed"}}
	}
	outer := append([]member{}, extras...)
	for _, m := range group {
		if m.name == flag {
			outer = append(outer, m)
		}
	}
	var all []element
	for _, one := range items(impressions) {
		e := element{reason: "unknown_shape"}
		if kind(one) == '{' {
			e = decodeFlat(src, members(one), outer)
		}
		e.value = alone(raw, list, one)
		all = append(all, e)
	}
	return all
}

// alone returns an object with all but one element of a list taken away.
func alone(object []byte, list string, one []byte) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range members(object) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(m.name) + ":")
		if m.name == list {
			b.WriteString("[" + string(one) + "]")
		} else {
			b.Write(m.raw)
		}
	}
	b.WriteByte('}')
	return b.Bytes()
}

// find returns the first member of a name.
func find(object []member, name string) ([]byte, bool) {
	for _, m := range object {
		if m.name == name {
			return m.raw, true
		}
	}
	return nil, false
}

// pick returns the members that have one of the names, renamed.
func pick(object []member, names map[string]string) []member {
	var picked []member
	for _, m := range object {
		if to, ok := names[m.name]; ok {
			picked = append(picked, member{to, m.raw})
		}
	}
	return picked
}
