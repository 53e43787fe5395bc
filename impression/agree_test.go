package impression

import (
	"bytes"
	"reflect"
	"unicode/utf8"
)

// outcomeOf puts an element into the reference's terms.
func outcomeOf(e *Element) outcome {
	o := outcome{
		Outcome: e.Outcome, Reason: e.Reason, Index: e.Index, Several: e.Several, Offset: e.Offset(),
	}
	if e.Outcome != Accepted {
		return o
	}
	m := &e.Impression
	o.Version, o.SeenAt, o.Values = m.Version, m.SeenAt, m.Properties
	o.Facts = map[string]string{"identity": m.Identity.String()}
	for name, text := range map[string][]byte{
		"user": m.User, "flag": m.Flag, "treatment": m.Treatment, "label": m.Label,
		"environmentName": m.EnvironmentName, "environmentId": m.EnvironmentID,
		"bucketingKey": m.BucketingKey, "trafficTypeId": m.TrafficTypeID, "sdk": m.SDK,
		"sdkVersion": m.SDKVersion, "machineName": m.MachineName, "machineIp": m.MachineIP,
		"event": m.Event,
	} {
		if text != nil {
			o.Facts[name] = string(text)
		}
	}
	return o
}

func outcomesOf(elements []Element) []outcome {
	var out []outcome
	for i := range elements {
		out = append(out, outcomeOf(&elements[i]))
	}
	return out
}

// same compares outcomes; byte slices count by their content.
func (o outcome) same(p outcome) bool {
	if len(o.Values) != len(p.Values) {
		return false
	}
	for i, v := range o.Values {
		w := p.Values[i]
		if v.Kind != w.Kind || !bytes.Equal(v.Text, w.Text) || !bytes.Equal(v.JSON, w.JSON) {
			return false
		}
	}
	o.Values, p.Values = nil, nil
	if len(o.Facts) == 0 && len(p.Facts) == 0 {
		o.Facts, p.Facts = nil, nil
	}
	return reflect.DeepEqual(o, p)
}

// testFilter asks for everything.
var testFilter = Filter{
	Events:     []string{"get_treatment", "größe"},
	Extras:     true,
	Properties: []string{"plan", "a", "split", ""},
}

func testSource(format Format) Source {
	return Source{
		Topic: "impressions", Format: format, Identity: User,
		Environment:   "Prod-Default",
		Environments:  map[string]string{"0c3a9f10-9d3e-11ee-8c90-0242ac120002": "Production", "e": "E"},
		ByTrafficType: map[string]Identity{"anon": Anonymous, "8a2e3c50-9d3e-11ee-8c90-0242ac120002": Anonymous, "none": 0},
	}
}

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// check decodes a record and holds the result against the reference, and every
// element's Raw against the element.
func check(t failer, src Source, filter Filter, value []byte) {
	t.Helper()
	d := NewDecoder(src, filter)
	elements := d.Decode(nil, value)
	want := (&reference{src: src, filter: filter}).decode(value)
	if len(elements) != len(want) {
		t.Fatalf("%s %q:\n%d elements, want %d\n%+v\n%+v", src.Format, value, len(elements), len(want), outcomesOf(elements), want)
	}
	for i := range elements {
		e := &elements[i]
		if got := outcomeOf(e); !got.same(want[i]) {
			t.Fatalf("%s %q: element %d (%s):\n%+v, want\n%+v", src.Format, value, i, e.Message, got, want[i])
		}
		checkElement(t, e, value)
		checkRaw(t, src, filter, e)
	}
}

func checkElement(t failer, e *Element, value []byte) {
	t.Helper()
	if (e.Outcome == Refused) != (e.Message != "") || len(e.Message) > 400 || !utf8.ValidString(e.Message) {
		t.Fatalf("%q: bad message %q", value, e.Message)
	}
	if e.Impression.Topic != "impressions" {
		t.Fatalf("%q: topic %q", value, e.Impression.Topic)
	}
}

// checkRaw decodes an element alone.
func checkRaw(t failer, src Source, filter Filter, e *Element) {
	t.Helper()
	raw := e.Raw()
	if e.raw.group == nil && !e.raw.alone && raw[0] == '[' {
		return // an array in an array: alone it is a record of several
	}
	alone := NewDecoder(src, filter).Decode(nil, raw)
	if len(alone) != 1 {
		t.Fatalf("%s: alone %q is %d elements", src.Format, raw, len(alone))
	}
	got, want := outcomeOf(&alone[0]), outcomeOf(e)
	want.Index, want.Several, want.Offset, got.Offset = 0, false, 0, 0
	if !got.same(want) || alone[0].Message != e.Message && e.Reason != Malformed {
		t.Fatalf("%s: alone %q is\n%+v, want\n%+v", src.Format, raw, got, want)
	}
}

// checkSniffed decodes a lone object under the format that auto must tell.
func checkSniffed(t failer, value []byte) {
	t.Helper()
	root := parseTree(value)
	if root == nil || root.kind != '{' {
		return
	}
	format := sniffSlowly(root)
	if format == "" {
		return
	}
	auto := NewDecoder(testSource(Auto), testFilter).Decode(nil, value)
	explicit := NewDecoder(testSource(format), testFilter).Decode(nil, value)
	if len(auto) != len(explicit) {
		t.Fatalf("%q: %d elements as %s, %d by auto", value, len(explicit), format, len(auto))
	}
	for i := range auto {
		if a, e := outcomeOf(&auto[i]), outcomeOf(&explicit[i]); !a.same(e) {
			t.Fatalf("%q: %+v as %s, %+v by auto", value, e, format, a)
		}
	}
}
