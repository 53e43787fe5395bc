package impression

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestRaw spells out what goes to the dead letters of arrays and groups.
func TestRaw(t *testing.T) {
	for _, c := range []struct {
		record  string
		raws    []string
		offsets []int
	}{
		{" {\"a\":1} ", []string{" {\"a\":1} "}, []int{1}},
		{`[ {"a":1} , 7 ]`, []string{`{"a":1}`, `7`}, []int{2, 12}},
		{`[1`, []string{`[1`}, []int{0}},
		{`{"f":"x","i":[ 1 , {"k":2} ],"z":3}`,
			[]string{`{"f":"x","i":[1],"z":3}`, `{"f":"x","i":[{"k":2}],"z":3}`}, []int{15, 19}},
		{`[{"i":[1]}, {"i":{}}]`, []string{`{"i":[1]}`, `{"i":{}}`}, []int{7, 12}},
		{`{"a":0,"impressions":[{"keyImpressions":[1],"testName":"f"},2, {"keyImpressions":[3,4]}],"sdkVersion":"v"}`,
			[]string{
				`{"a":0,"impressions":[{"keyImpressions":[1],"testName":"f"}],"sdkVersion":"v"}`,
				`{"a":0,"impressions":[2],"sdkVersion":"v"}`,
				`{"a":0,"impressions":[{"keyImpressions":[3]}],"sdkVersion":"v"}`,
				`{"a":0,"impressions":[{"keyImpressions":[4]}],"sdkVersion":"v"}`,
			}, []int{41, 60, 82, 84}},
	} {
		elements := NewDecoder(testSource(Auto), testFilter).Decode(nil, []byte(c.record))
		if len(elements) != len(c.raws) {
			t.Fatalf("%s: %d elements", c.record, len(elements))
		}
		for i := range elements {
			e := &elements[i]
			if string(e.Raw()) != c.raws[i] || e.Offset() != c.offsets[i] {
				t.Errorf("%s: element %d is %s at %d, want %s at %d", c.record, i, e.Raw(), e.Offset(), c.raws[i], c.offsets[i])
			}
		}
	}
}

// TestSource checks the settings of a source and what a filter leaves out.
func TestSource(t *testing.T) {
	record := []byte(`{"key":"u","split":"f","treatment":"on","time":1772446530123,"environmentId":"dev","trafficTypeId":"a","sdk":"go","properties":{"p":1}}`)
	decode := func(src Source, filter Filter) *Element {
		t.Helper()
		got := NewDecoder(src, filter).Decode(nil, record)
		if len(got) != 1 {
			t.Fatalf("%d elements", len(got))
		}
		return &got[0]
	}
	all := Filter{Extras: true, Properties: []string{"q", "p"}}
	e := decode(Source{Topic: "in", Identity: Anonymous, Environment: "Prod"}, all)
	m := &e.Impression
	if m.Topic != "in" || m.Identity != Anonymous || m.EnvironmentName != nil || string(m.SDK) != "go" || string(m.TrafficTypeID) != "a" {
		t.Errorf("%+v", m)
	}
	if len(m.Properties) != 2 || m.Properties[0].Kind != Absent || m.Properties[1].Kind != Number || string(m.Properties[1].Text) != "1" {
		t.Errorf("properties %+v", m.Properties)
	}
	environments := map[string]string{"dev": "Development", "x": ""}
	if m := decode(Source{Identity: User, Environments: environments}, Filter{}).Impression; string(m.EnvironmentName) != "Development" || m.SDK != nil || m.Properties != nil {
		t.Errorf("%+v", m)
	}
	unwanted := all
	unwanted.Flags = map[string]struct{}{"g": {}}
	if e := decode(Source{Identity: User}, unwanted); e.Outcome != Accepted || e.Impression.SDK != nil || e.Impression.Properties != nil || string(e.Impression.Flag) != "f" {
		t.Errorf("%+v", e)
	}
	for id, want := range map[Identity]Outcome{0: Skipped, User: Accepted} {
		if e := decode(Source{Identity: Anonymous, ByTrafficType: map[string]Identity{"a": id}}, Filter{}); e.Outcome != want || e.Impression.Identity != id {
			t.Errorf("%v: %+v", id, e)
		}
	}
	if e := decode(Source{Identity: User, ByTrafficType: map[string]Identity{"b": Anonymous}}, Filter{}); e.Impression.Identity != User {
		t.Errorf("identity %v", e.Impression.Identity)
	}
	if e := decode(Source{}, Filter{}); e.Outcome != Skipped {
		t.Errorf("%+v", e)
	}
}

// TestPropertyValues checks text and JSON of each kind.
func TestPropertyValues(t *testing.T) {
	const record = `{"key":"u","split":"f","treatment":"on","time":1772446530123,"properties":PROPS}`
	for props, want := range map[string]string{
		`{"p":"a\u00e9"}`:                     `String "aé" "\"a\\u00e9\""`,
		`{"p":""}`:                            `String "" "\"\""`,
		`{"p":1.50}`:                          `Number "1.50" "1.50"`,
		`{"p":true}`:                          `Bool "true" "true"`,
		`{"p": {"a": [1]} }`:                  `Composite "{\"a\": [1]}" "{\"a\": [1]}"`,
		`{"p":null}`:                          `Absent "" ""`,
		`{"p":1,"p":null}`:                    `Absent "" ""`,
		`{"\u0070":1,"p":2}`:                  `Number "2" "2"`,
		`" {\"p\":\"x\\u0041\"}"`:             `String "xA" "\"x\\u0041\""`,
		`"{\"p\":1"`:                          `Absent "" ""`,
		`"{'p':1}"`:                           `Absent "" ""`,
		`[]`:                                  `Absent "" ""`,
		`"[{\"p\":1}]"`:                       `Absent "" ""`,
		`{"q":{"p":1}}`:                       `Absent "" ""`,
		`null`:                                `Absent "" ""`,
		`{"p":"\"","properties":{"p":false}}`: `String "\"" "\"\\\"\""`,
	} {
		value := strings.Replace(record, "PROPS", props, 1)
		got := NewDecoder(testSource(Auto), Filter{Properties: []string{"p"}}).Decode(nil, []byte(value))
		if len(got) != 1 || len(got[0].Impression.Properties) != 1 {
			t.Fatalf("%s: %+v", value, got)
		}
		kinds := [...]string{"Absent", "String", "Number", "Bool", "Composite"}
		v := got[0].Impression.Properties[0]
		if text := fmt.Sprintf("%s %q %q", kinds[v.Kind], v.Text, v.JSON); text != want {
			t.Errorf("%s: %s, want %s", props, text, want)
		}
		if v.Kind == String && v.Text == nil {
			t.Errorf("%s: no text", props)
		}
	}
}

// TestElementsStay decodes many records before a reset: what the first refer to
// must not change, and the decoder must not mix records up.
func TestElementsStay(t *testing.T) {
	d := NewDecoder(testSource(Auto), testFilter)
	for range 3 {
		d.Reset()
		var elements []Element
		var want []outcome
		for range 20 {
			for _, file := range exampleFiles {
				for _, record := range readRecords(t, file) {
					elements = d.Decode(elements, record)
					want = append(want, outcomesOf(NewDecoder(testSource(Auto), testFilter).Decode(nil, record))...)
				}
			}
		}
		for i := range want {
			if got := outcomeOf(&elements[i]); !got.same(want[i]) {
				t.Fatalf("element %d: %+v, want %+v", i, got, want[i])
			}
		}
	}
}

// TestNoAllocation holds the common shapes to none at all.
func TestNoAllocation(t *testing.T) {
	for _, file := range []string{"segment-track.jsonl", "split-webhook.json", "listener.jsonl", "s3-export.jsonl"} {
		records := readRecords(t, file)
		d := NewDecoder(testSource(Auto), testFilter)
		var elements []Element
		run := func() {
			d.Reset()
			for _, record := range records {
				elements = d.Decode(elements[:0], record)
			}
		}
		run()
		if allocs := testing.AllocsPerRun(20, run); allocs > 0 {
			t.Errorf("%s: %.1f allocations", file, allocs)
		}
	}
}

// TestHostileRecords decodes half a megabyte that is meant to hurt. Time and
// memory stay in proportion to the input; the limits are far above what is seen,
// and far below what reading a group's flag anew for each of its impressions
// would take.
func TestHostileRecords(t *testing.T) {
	const size = 1 << 19
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, record := range map[string]string{
		"junk":                  fill("x\x00\xff{"),
		"brackets":              fill("["),
		"objects":               fill(`{"a":`),
		"open string":           `"` + fill("a"),
		"nulls":                 "[" + fill("null,") + "null]",
		"empty objects":         "[" + fill("{},") + "{}]",
		"one name":              "{" + fill(`"key":1,`) + `"key":1}`,
		"long flag in a group":  `{"f":"` + strings.Repeat(`\u0041`, size/12) + `","i":[` + strings.Repeat(`{},`, size/6) + `{}]}`,
		"bad flag in a group":   `{"f":"` + strings.Repeat(`\ud800`, size/12) + `","i":[` + strings.Repeat(`{},`, size/6) + `{}]}`,
		"long version of a sdk": `{"impressions":[{"testName":"f","keyImpressions":[` + strings.Repeat(`{"keyName":"u","treatment":"t","time":1772446530123},`, 10000) + `{}]}],"sdkVersion":"` + strings.Repeat(`\u0041`, size/12) + `"}`,
		"escapes":               `{"split":"` + fill(`\ud800`) + `"}`,
		"escaped names":         "{" + fill(`"\u0061\u0062":1,`) + `"split":1}`,
		"string in string":      `{"key":"u","split":"f","treatment":"t","time":1772446530123,"properties":"` + fill(`{\"a\":`) + `"}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		d := NewDecoder(testSource(Auto), testFilter)
		elements := d.Decode(nil, []byte(record))
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		grown := (after.TotalAlloc - before.TotalAlloc) >> 20
		t.Logf("%s: %d elements, %s, %d MiB", name, len(elements), took, grown)
		if took > 20*time.Second || grown > 1000 {
			t.Errorf("%s: took %s and %d MiB", name, took, grown)
		}
		if len(elements) == 0 || bytes.Equal(elements[0].Raw(), nil) {
			t.Errorf("%s: %d elements", name, len(elements))
		}
	}
}
