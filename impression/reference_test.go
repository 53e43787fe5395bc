package impression

import (
	"slices"
	"unicode/utf8"
)

// outcome is what the reference and the decoder must agree on.
type outcome struct {
	Outcome Outcome
	Reason  Reason
	Index   int
	Several bool
	Offset  int
	Facts   map[string]string // of an accepted element; absent ones are left out
	Version int64
	SeenAt  int64
	Values  []Value // nil where none are asked for
}

// reference decodes by the letter of the rules, without regard to speed.
type reference struct {
	src    Source
	filter Filter
	out    []outcome
}

func (r *reference) decode(value []byte) []outcome {
	r.out = nil
	root := parseTree(value)
	switch {
	case root == nil:
		r.refused(Malformed, 0)
	case root.kind == '[':
		for _, item := range root.items {
			r.element(item)
		}
	default:
		r.element(root)
	}
	for i := range r.out {
		r.out[i].Index = i
		r.out[i].Several = len(r.out) > 1
	}
	return r.out
}

func (r *reference) refused(reason Reason, offset int) {
	r.out = append(r.out, outcome{Outcome: Refused, Reason: reason, Offset: offset})
}

func (r *reference) element(n *node) {
	if n.kind != '{' {
		r.refused(UnknownShape, n.offset)
		return
	}
	format := r.src.Format
	if format == Auto {
		format = sniffSlowly(n)
	}
	switch {
	case format == Segment:
		r.segment(n)
	case format == SplitWebhook, format == SplitExport:
		r.impression(n, n, nil, aliasesOf(false), "", nil)
	case format == SplitListener && n.has("impression"):
		r.listener(n)
	case format == SplitSynchronizer && n.has("impressions"):
		r.synchronizer(n)
	case format == SplitSynchronizer && n.has("keyImpressions"):
		r.group(n, nil, "testName", "keyImpressions", aliasesOf(false))
	case format == SplitBulk && (n.has("f") || n.has("i")):
		r.group(n, nil, "f", "i", aliasesOf(true))
	default:
		r.refused(UnknownShape, n.offset)
	}
}

func sniffSlowly(n *node) Format {
	switch {
	case n.has("impression"):
		return SplitListener
	case n.has("impressions"):
		return SplitSynchronizer
	case n.has("f", "i"):
		return SplitBulk
	case n.has("type", "event"):
		return Segment
	case n.has("splitName", "splitVersion", "receptionTimestamp"):
		return SplitExport
	case n.has("split", "feature"), n.has("key") && n.has("treatment", "time"):
		return SplitWebhook
	}
	return ""
}

func aliasesOf(short bool) map[string][]string {
	a := map[string][]string{
		"user": {"key", "keyName"}, "flag": {"split", "feature", "splitName", "testName"},
		"treatment": {"treatment"}, "time": {"time", "timestamp"},
		"version": {"splitVersionNumber", "changeNumber", "splitVersion"},
		"label":   {"label"}, "environmentName": {"environmentName"}, "environmentId": {"environmentId"},
		"bucketingKey": {"bucketingKey"}, "trafficTypeId": {"trafficTypeId"}, "sdk": {"sdk"},
		"sdkVersion": {"sdkVersion"}, "machineName": {"machineName"}, "machineIp": {"machineIp", "machineIP"},
	}
	if short {
		for fact, name := range map[string]string{
			"user": "k", "treatment": "t", "time": "m", "version": "c", "label": "r", "bucketingKey": "b",
		} {
			a[fact] = append(a[fact], name)
		}
	}
	return a
}

// has tells whether the object has one of the names.
func (n *node) has(names ...string) bool {
	return len(n.all(names...)) > 0
}

// all returns the members that have one of the names.
func (n *node) all(names ...string) []*node {
	var found []*node
	for _, m := range n.members {
		if slices.Contains(names, m.name) {
			found = append(found, m.value)
		}
	}
	return found
}

// text returns the string that a node is; nil for null and for the empty one.
func (n *node) text() []byte {
	if n == nil || n.kind != '"' || len(n.raw) == 2 {
		return nil
	}
	return unquoteSlowly(n.raw)
}

// missing tells whether a node counts as none.
func (n *node) missing() bool {
	return n == nil || n.kind == 'n' || string(n.raw) == `""`
}

// verdict collects every reason to refuse an impression.
type verdict map[Reason]bool

func (v verdict) worst() Reason {
	for _, r := range []Reason{Malformed, MissingUser, BadUser, MissingFlag, MissingTreatment, MissingTime, BadTime} {
		if v[r] {
			return r
		}
	}
	return ""
}

// fact returns the one node of the names.
func (v verdict) fact(n *node, names ...string) *node {
	found := n.all(names...)
	if len(found) > 1 {
		v[Malformed] = true
	}
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// text reads a fact that is a string.
func (v verdict) text(n *node, invalid Reason, names ...string) string {
	value := v.fact(n, names...)
	if value.missing() {
		return ""
	}
	if value.kind != '"' || invalid == Malformed && !utf8.Valid(value.text()) {
		v[Malformed] = true
		return ""
	}
	if !utf8.Valid(value.text()) {
		v[invalid] = true
	}
	return string(value.text())
}

func (v verdict) version(n *node, names ...string) int64 {
	value := v.fact(n, names...)
	if value.missing() {
		return 0
	}
	number, exact, ok := truncated(scalarText(value))
	if !ok || !exact {
		v[Malformed] = true
	}
	return number
}

// scalarText returns what a number or a string says.
func scalarText(n *node) string {
	if n.kind == '"' {
		return string(n.text())
	}
	return string(n.raw)
}

func (v verdict) time(value *node) int64 {
	if value.missing() {
		v[MissingTime] = true
		return 0
	}
	text := scalarText(value)
	if value.kind == '"' && !utf8.ValidString(text) {
		v[Malformed] = true
		return 0
	}
	ms, _, ok := truncated(text)
	if !numberSyntax.MatchString(text) {
		ms, ok = timeOf(text)
	}
	if (value.kind != '"' && value.kind != '0') || !ok || ms < 1262304000000 {
		v[BadTime] = true
	}
	return ms
}

// impression decodes the facts of inner. The object outer, which may be nil,
// tells of SDK and machine; flag is that of a group, which groupFault says to
// be good or bad.
func (r *reference) impression(at, inner, outer *node, a map[string][]string, flag string, groupVerdict verdict) {
	v := verdict{}
	o := outcome{Offset: at.offset, Facts: map[string]string{}}
	if groupVerdict == nil {
		flag = v.text(inner, Malformed, a["flag"]...)
	} else if groupVerdict[Malformed] {
		v[Malformed] = true
	}
	user := v.text(inner, BadUser, a["user"]...)
	o.SeenAt = v.time(v.fact(inner, a["time"]...))
	r.common(&o, v, user, flag, inner, a)
	r.decide(o, v, func(o *outcome) {
		r.extras(o, inner, outer, a)
		properties := inner.all("properties")
		if len(properties) > 0 {
			r.properties(o, properties[len(properties)-1])
		}
	}, r.identity(inner))
}

func (r *reference) identity(n *node) Identity {
	id := ""
	if types := n.all("trafficTypeId"); len(types) > 0 {
		id = lossySlowly(types[len(types)-1].text())
	}
	if identity, ok := r.src.ByTrafficType[id]; ok {
		return identity
	}
	return r.src.Identity
}

// common reads what every shape has in one object.
func (r *reference) common(o *outcome, v verdict, user, flag string, n *node, a map[string][]string) {
	v[MissingUser] = user == ""
	v[BadUser] = v[BadUser] || len(user) > 1024
	v[MissingFlag] = flag == ""
	treatment := v.text(n, Malformed, a["treatment"]...)
	v[MissingTreatment] = treatment == ""
	o.Version = v.version(n, a["version"]...)
	name := v.text(n, Malformed, a["environmentName"]...)
	id := v.text(n, Malformed, a["environmentId"]...)
	if name == "" {
		name = r.src.Environments[id]
		if id == "" {
			name = r.src.Environment
		}
	}
	o.fact("user", user)
	o.fact("flag", flag)
	o.fact("treatment", treatment)
	o.fact("label", v.text(n, Malformed, a["label"]...))
	o.fact("environmentName", name)
	o.fact("environmentId", id)
}

func (o *outcome) fact(name, text string) {
	if text != "" {
		o.Facts[name] = text
	}
}

// decide appends the outcome; beyond fills in what definitions may look at.
func (r *reference) decide(o outcome, v verdict, beyond func(*outcome), identity Identity) {
	reason := v.worst()
	switch {
	case reason != "":
		r.refused(reason, o.Offset)
		return
	case identity == 0:
		o = outcome{Outcome: Skipped, Offset: o.Offset}
	default:
		o.Facts["identity"] = identity.String()
		if _, ok := r.filter.Flags[o.Facts["flag"]]; ok || r.filter.Flags == nil {
			if len(r.filter.Properties) > 0 {
				o.Values = make([]Value, len(r.filter.Properties))
			}
			beyond(&o)
		}
	}
	r.out = append(r.out, o)
}

func (r *reference) extras(o *outcome, inner, outer *node, a map[string][]string) {
	if !r.filter.Extras {
		return
	}
	for _, name := range []string{"bucketingKey", "trafficTypeId", "sdk", "sdkVersion", "machineName", "machineIp"} {
		o.fact(name, extraText(inner, a[name]...))
	}
	if outer == nil {
		return
	}
	for name, names := range map[string][]string{
		"sdkVersion":  {"sdkVersion", "sdkLanguageVersion"},
		"machineName": {"machineName", "hostname"},
		"machineIp":   {"machineIp", "machineIP", "ip"},
	} {
		if o.Facts[name] == "" {
			o.fact(name, extraText(outer, names...))
		}
	}
}

// extraText returns the last string of the first name that has one.
func extraText(n *node, names ...string) string {
	for _, name := range names {
		if all := n.all(name); len(all) > 0 {
			if text := all[len(all)-1].text(); text != nil {
				return lossySlowly(text)
			}
		}
	}
	return ""
}

func (r *reference) properties(o *outcome, n *node) {
	if n.kind == '"' {
		if n = parseTree(n.text()); n == nil {
			return
		}
	}
	for i, name := range r.filter.Properties {
		if all := n.all(name); n.kind == '{' && len(all) > 0 {
			o.Values[i] = valueOf(all[len(all)-1])
		}
	}
}

func valueOf(n *node) Value {
	kinds := map[byte]Kind{'"': String, '0': Number, 't': Bool, 'f': Bool, '{': Composite, '[': Composite}
	switch n.kind {
	case 'n':
		return Value{}
	case '"':
		return Value{Kind: String, Text: []byte(lossySlowly(n.text())), JSON: n.raw}
	}
	return Value{Kind: kinds[n.kind], Text: n.raw, JSON: n.raw}
}
