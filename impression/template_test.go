package impression

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// withoutTemplates returns a decoder that scans each object in full.
func withoutTemplates(src Source, filter Filter) *Decoder {
	d := NewDecoder(src, filter)
	for _, o := range []*object{&d.top, &d.inner, &d.props, &d.group} {
		o.known.pause = 1 << 60
	}
	return d
}

// sameElements decodes a record by both decoders.
func sameElements(t failer, d, plain *Decoder, value []byte) {
	t.Helper()
	got, want := d.Decode(nil, value), plain.Decode(nil, value)
	if len(got) != len(want) {
		t.Fatalf("%q: %d elements by a template, %d without", value, len(got), len(want))
	}
	for i := range got {
		g, w := outcomeOf(&got[i]), outcomeOf(&want[i])
		if !g.same(w) || got[i].Message != want[i].Message || string(got[i].Raw()) != string(want[i].Raw()) {
			t.Fatalf("%q, element %d: by a template %+v (%s), without %+v (%s)", value, i, g, got[i].Message, w, want[i].Message)
		}
	}
}

// TestTemplates decodes records that are alike: other values in the same places,
// and now and then a byte that is not in its place.
func TestTemplates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := testSource(rapid.SampledFrom(Formats()).Draw(t, "format"))
		filter := testFilter
		if rapid.Bool().Draw(t, "facts alone") {
			filter.Extras, filter.Properties = false, nil
		}
		d, plain := NewDecoder(src, filter), withoutTemplates(src, filter)
		bases := rapid.SliceOfN(rapid.Custom(drawRecord), 1, 3).Draw(t, "records")
		for range rapid.IntRange(2, 12).Draw(t, "rounds") {
			value := []byte(rapid.SampledFrom(bases).Draw(t, "record"))
			for n := rapid.IntRange(0, 3).Draw(t, "values"); n > 0; n-- {
				value = otherValue(t, value)
			}
			if rapid.IntRange(0, 4).Draw(t, "good") == 0 {
				value = mutate(t, value)
			}
			sameElements(t, d, plain, value)
		}
	})
}

// otherValue puts another string or number in place of one.
func otherValue(t *rapid.T, value []byte) []byte {
	var places []sampleValue
	for _, e := range NewDecoder(testSource(Auto), testFilter).Decode(nil, value) {
		var made template
		o := object{properties: &object{}, impression: &object{}}
		s := scanner{data: e.Bytes()}
		if len(s.data) == 0 || s.data[0] != '{' || o.walk(&s, 0, 0) < 0 || !made.remake(e.Bytes(), &o) {
			continue
		}
		for _, v := range made.values {
			v.start, v.end = v.start+e.Offset(), v.end+e.Offset()
			places = append(places, v)
		}
	}
	if len(places) == 0 {
		return value
	}
	v := rapid.SampledFrom(places).Draw(t, "place")
	other := rapid.SampledFrom([]string{
		`"x"`, `""`, `"a rather long text, longer than a word of eight bytes"`, `"größe"`, `"\""`, `"\\"`, "\"\t\"", "\"\xff\"", `"get_treatment"`,
		`0`, `7`, `1772446530999`, `-1`, `01`, `1.5`, `2e3`, `-`, `1.`, `"2026-03-02T10:15:31.000Z"`, `null`, `true`, `{}`, `[]`,
	}).Draw(t, "other")
	return []byte(string(value[:v.start]) + other + string(value[v.end:]))
}

// FuzzTemplates decodes two records in turn, of which the second may fit what
// was learnt of the first, and the other way round.
func FuzzTemplates(f *testing.F) {
	for _, file := range exampleFiles {
		records := readRecords(f, file)
		for i, record := range records {
			if other := records[(i+1)%len(records)]; len(record)+len(other) < maxSeed {
				f.Add(record, other)
			}
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		d, plain := NewDecoder(testSource(Auto), testFilter), withoutTemplates(testSource(Auto), testFilter)
		for _, value := range [][]byte{a, b, a, b, b, a} {
			sameElements(t, d, plain, value)
		}
	})
}

// TestTemplateIsUsed tells of a source that is as uniform as most.
func TestTemplateIsUsed(t *testing.T) {
	d := NewDecoder(testSource(Auto), testFilter)
	for i := range 100 {
		elements := d.Decode(nil, segmentEvent(i))
		if len(elements) != 1 || string(elements[0].Impression.User) != fmt.Sprintf("user-%d", i) {
			t.Fatalf("%+v", elements)
		}
	}
	if n := d.top.known.matched; n < 80 {
		t.Errorf("%d of 100 objects were scanned by a template", n)
	}
	if n := len(d.top.known.list); n != 1 {
		t.Errorf("there are %d templates, want 1", n)
	}
}

// TestTemplatesPause lets a source go in which no object is like another.
func TestTemplatesPause(t *testing.T) {
	d := NewDecoder(testSource(Auto), testFilter)
	for i := range 1000 {
		d.Decode(nil, fmt.Appendf(nil, `{"key":"u","split":"f","treatment":"on","time":1772446530123,"other%d":1}`, i))
	}
	if d.top.known.pause == 0 || len(d.top.known.list) > 0 {
		t.Errorf("templates are still tried: %+v", d.top.known)
	}
}

// segmentEvent is one of a stream of track calls, of some 700 bytes.
func segmentEvent(i int) []byte {
	at := fmt.Sprintf("2026-03-02T%02d:%02d:%02d.%03dZ", i/3600%24, i/60%60, i%60, i*7%1000)
	return fmt.Appendf(nil, `{"type":"track","event":"get_treatment","userId":"user-%d","messageId":"api-%016x","timestamp":"%[3]s",`+
		`"originalTimestamp":"%[3]s","sentAt":"%[3]s","receivedAt":"%[3]s","properties":{"split":"flag_%02[4]d","treatment":%[5]q,`+
		`"label":"default rule","environmentName":"Production","environmentId":"0c3a9f10-9d3e-11ee-8c90-0242ac120002","key":"user-%[1]d",`+
		`"splitVersionNumber":1665436973467,"machineIP":"10.1.14.7","machineName":"ip-10-1-14-7","sdk":"java-server","sdkVersion":"4.12.0"},`+
		`"context":{"library":{"name":"unknown","version":"unknown"}},"integrations":{},"projectId":"w4b1Qm2nTe7yS6k9","version":2,"channel":"server"}`,
		i, uint64(i)*0x9e3779b97f4a7c15, at, i%20, []string{"on", "off", "v2"}[i%3])
}

// BenchmarkStream decodes a source's stream, with templates and without.
func BenchmarkStream(b *testing.B) {
	streams := map[string]func(int) []byte{
		"segment": segmentEvent,
		"webhook": func(i int) []byte {
			return fmt.Appendf(nil, `{"key":"user-%d","split":"flag_%02d","treatment":"on","time":%d,"label":"default rule",`+
				`"environmentId":"0c3a9f10-9d3e-11ee-8c90-0242ac120002","environmentName":"Production","splitVersionNumber":1665436973467}`,
				i, i%20, 1772446530123+i)
		},
	}
	for name, event := range streams {
		var records [][]byte
		size := 0
		for i := range 1000 {
			records = append(records, event(i))
			size += len(records[i])
		}
		filter := Filter{Events: []string{"get_treatment"}}
		for how, d := range map[string]*Decoder{
			"templates": NewDecoder(Source{Format: Auto, Identity: User}, filter),
			"full":      withoutTemplates(Source{Format: Auto, Identity: User}, filter),
		} {
			b.Run(strings.Join([]string{name, how}, "/"), func(b *testing.B) {
				var elements []Element
				b.SetBytes(int64(size) / 1000)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if i%1000 == 0 {
						d.Reset()
					}
					elements = d.Decode(elements[:0], records[i%1000])
				}
			})
		}
	}
}
