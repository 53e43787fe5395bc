package impression

import (
	"slices"
	"strings"
)

func (r *reference) listener(n *node) {
	inner := n.all("impression")
	switch {
	case len(inner) > 1:
		r.refused(Malformed, n.offset)
	case inner[0].kind == 'n':
		r.refused(MissingUser, n.offset)
	case inner[0].kind != '{':
		r.refused(Malformed, n.offset)
	default:
		r.impression(n, inner[0], n, aliasesOf(false), "", nil)
	}
}

// list returns the items of a group's list, or refuses the group.
func (r *reference) list(n *node, name string) []*node {
	all := n.all(name)
	if len(all) > 1 || len(all) == 1 && all[0].kind != '[' && all[0].kind != 'n' {
		r.refused(Malformed, n.offset)
		return nil
	}
	if len(all) == 0 {
		return nil
	}
	return all[0].items
}

func (r *reference) synchronizer(n *node) {
	for _, group := range r.list(n, "impressions") {
		if group.kind != '{' {
			r.refused(Malformed, group.offset)
			continue
		}
		r.group(group, n, "testName", "keyImpressions", aliasesOf(false))
	}
}

func (r *reference) group(n, outer *node, flagName, listName string, a map[string][]string) {
	v := verdict{}
	flag := v.text(n, Malformed, flagName)
	for _, item := range r.list(n, listName) {
		if item.kind != '{' {
			r.refused(UnknownShape, item.offset)
			continue
		}
		r.impression(item, item, outer, a, flag, v)
	}
}

func (r *reference) segment(n *node) {
	call := extraText(n, "type")
	event := extraText(n, "event")
	if call != "" && call != "track" || event == "" || !slices.Contains(r.filter.Events, event) {
		r.out = append(r.out, outcome{Outcome: Skipped, Offset: n.offset})
		return
	}
	v := verdict{}
	o := outcome{Offset: n.offset, Facts: map[string]string{}}
	o.fact("event", event)
	props := v.segmentProperties(n)
	identity := User
	user := v.text(n, BadUser, "userId")
	if v.fact(n, "userId").missing() {
		identity = Anonymous
		user = v.text(n, BadUser, "anonymousId")
	}
	v.fact(n, "anonymousId")
	a := aliasesOf(false)
	a["flag"] = []string{"split"}
	r.common(&o, v, user, v.text(props, Malformed, "split"), props, a)
	var at *node
	for _, name := range strings.Fields("timestamp originalTimestamp sentAt receivedAt") {
		if value := v.fact(n, name); at == nil && !value.missing() {
			at = value
		}
	}
	o.SeenAt = v.time(at)
	r.decide(o, v, func(o *outcome) {
		r.extras(o, props, nil, a)
		r.properties(o, props)
	}, identity)
}

func (v verdict) segmentProperties(n *node) *node {
	props := v.fact(n, "properties")
	if props == nil || props.kind == 'n' {
		return &node{kind: '{'}
	}
	if props.kind == '"' {
		props = parseTree(props.text())
	}
	if props == nil || props.kind != '{' {
		v[Malformed] = true
		return &node{kind: '{'}
	}
	return props
}
