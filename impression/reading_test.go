package impression

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// layouts are objects of the shapes that have readings. A name in angle brackets
// stands for the member's name and value.
var layouts = []string{
	`{<type>,<event>,<userId>,<anonymousId>,"messageId":<any>,<timestamp>,<sentAt>,"properties":{<split>,<treatment>,<label>,` +
		`<environmentName>,<environmentId>,<key>,<splitVersionNumber>,<trafficTypeId>,<sdk>},"context":{"a":[<any>]},"version":<any>}`,
	`{"type":"track",<event>,<anonymousId>,<originalTimestamp>,<receivedAt>,"properties":{"split":"f",<treatment>,<environmentId>,<changeNumber>}}`,
	`{"type":"page","event":"x",<userId>,<sentAt>,"properties":{<split>}}`,
	`{<key>,<split>,<treatment>,<time>,<splitVersionNumber>,<label>,<environmentName>,<environmentId>,<trafficTypeId>,<bucketingKey>,<sdk>}`,
	` {<keyName>, <feature>, <treatment>, <timestamp>, "properties": {<key>, <split>}, <environmentId>, "x": <any>} `,
	`{<key>,<splitName>,"treatment":"on",<timestamp>,<splitVersion>,<receptionTimestamp>,"impression":7}`,
	`{<ip>,<hostname>,<key>,"impression":{<keyName>,<feature>,<treatment>,<time>,<changeNumber>,<label>,<environmentId>,<trafficTypeId>},"a":<any>}`,
}

// place is where events of a layout differ: what stands there as a rule, in
// which the event's number goes, and what stands there else.
type place struct {
	usual string
	odd   []string
	often bool // whether it is odd as often as not
}

func drawPlace(t *rapid.T, name string) place {
	usual, odd := []string{`"v%d"`, `"größe %d"`, `"v"`, `"production, a name longer than eight bytes"`}, textValues
	switch name {
	case "time", "timestamp", "sentAt", "originalTimestamp", "receivedAt":
		usual = []string{`"2026-03-02T10:15:3%d.123Z"`, `"2026-03-0%dT10:15:30.123Z"`, `177244653012%d`, `"177244653012%d"`, `"2026-03-02T10:15:3%d+01:00"`}
		odd = append(append([]string{`"2026-03-02T10:15:61.123Z"`, `"2026-03-02T24:15:30.123Z"`, `"2026-03-02T10:15:30.12xZ"`, `"2026-03-02T10:15030.123Z"`,
			`"1999-03-02T10:15:30.123Z"`, `"2026-03-02T10:15:30.123z"`, `"2026-03-02T10:15:30,123Z"`, `"2026-03-02T10:60:30.123Z"`}, timeValues...), textValues...)
	case "splitVersionNumber", "changeNumber", "splitVersion":
		usual, odd = []string{`166543697346%d`, `"166543697346%d"`, `7`}, append(versionValues, textValues...)
	case "type":
		usual, odd = []string{`"track"`}, typeValues
	case "event":
		usual, odd = []string{`"get_treatment"`}, eventValues
	case "trafficTypeId":
		usual = []string{`"user%d"`, `"anon"`, `"user"`}
	}
	return place{usual: rapid.SampledFrom(usual).Draw(t, "usual"), odd: odd, often: rapid.IntRange(0, 9).Draw(t, "often odd") == 0}
}

func (p *place) draw(t *rapid.T, i int) string {
	limit := 60
	if p.often {
		limit = 1
	}
	if rapid.IntRange(0, limit).Draw(t, "is odd") == 0 {
		return rapid.SampledFrom(append([]string{`"a quote: \""`, "\"\t\"", `01`, `-`, `"`}, p.odd...)).Draw(t, "odd")
	}
	if strings.Contains(p.usual, "%") {
		return fmt.Sprintf(p.usual, i%10)
	}
	return p.usual
}

// stream makes events of a layout, alike but for what stands in its places.
type stream struct {
	texts  []string // around the places
	places []place
}

func drawStream(t *rapid.T) *stream {
	s := &stream{}
	rest := rapid.SampledFrom(layouts).Draw(t, "layout")
	for {
		before, after, ok := strings.Cut(rest, "<")
		if !ok {
			s.texts = append(s.texts, rest)
			return s
		}
		name, after, _ := strings.Cut(after, ">")
		if name != "any" {
			before += `"` + name + `":`
		}
		s.texts, s.places = append(s.texts, before), append(s.places, drawPlace(t, name))
		rest = after
	}
}

func (s *stream) event(t *rapid.T, i int) []byte {
	var b []byte
	for n := range s.places {
		b = append(append(b, s.texts[n]...), s.places[n].draw(t, i)...)
	}
	return append(b, s.texts[len(s.texts)-1]...)
}

// TestReadings decodes streams of events that are alike, and holds each against
// a decoder without templates and against the reference. The elements must stay
// what they were, whatever is decoded after them.
func TestReadings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := testSource(rapid.SampledFrom([]Format{Auto, Auto, Segment, SplitWebhook, SplitListener}).Draw(t, "format"))
		if rapid.Bool().Draw(t, "bare") {
			src.Environment, src.Environments, src.ByTrafficType = "", nil, nil
		}
		filter := Filter{Events: testFilter.Events}
		d, plain := NewDecoder(src, filter), withoutTemplates(src, filter)
		streams := rapid.SliceOfN(rapid.Custom(drawStream), 1, 2).Draw(t, "streams")
		var kept []Element
		var want []outcome
		for i := range rapid.IntRange(3, 40).Draw(t, "events") {
			value := rapid.SampledFrom(streams).Draw(t, "stream").event(t, i)
			if rapid.IntRange(0, 7).Draw(t, "array") == 0 {
				value = []byte("[" + string(value) + "," + string(value) + "]")
			}
			sameElements(t, d, plain, value)
			told := (&reference{src: src, filter: filter}).decode(value)
			kept = d.Decode(kept, value)
			want = append(want, told...)
		}
		if len(kept) != len(want) {
			t.Fatalf("%d elements, want %d", len(kept), len(want))
		}
		for i := range kept {
			if got := outcomeOf(&kept[i]); !got.same(want[i]) {
				t.Fatalf("%q: %+v, want %+v", kept[i].Bytes(), got, want[i])
			}
		}
	})
}

// TestReadingIsUsed tells of each shape whether objects are still read in full.
func TestReadingIsUsed(t *testing.T) {
	filter := Filter{Events: []string{"get_treatment"}}
	for _, layout := range []string{
		`{"type":"track","event":"get_treatment","userId":"u%d","timestamp":"2026-03-02T10:15:3%[1]d.123Z","properties":{"split":"f%[1]d","treatment":"on"}}`,
		`{"type":"track","event":"get_treatment","anonymousId":"u%d","sentAt":177244653012%[1]d,"properties":{"split":"f","treatment":"on"}}`,
		`{"type":"page","event":"get_treatment","userId":"u%d"}`,
		`{"key":"u%d","split":"f","treatment":"on","time":177244653012%[1]d,"environmentId":"e%[1]d"}`,
		`{"ip":"10.0.0.%d","impression":{"keyName":"u","feature":"f","treatment":"on","time":177244653012%[1]d}}`,
	} {
		d := NewDecoder(testSource(Auto), filter)
		for i := range 3 {
			d.Decode(nil, fmt.Appendf(nil, layout, i))
		}
		value := fmt.Appendf(nil, layout, 9)
		d.top.data = nil
		got, want := d.Decode(nil, value), NewDecoder(testSource(Auto), filter).Decode(nil, value)
		if d.top.data != nil {
			t.Errorf("%s was read in full", value)
		}
		if g, w := outcomeOf(&got[0]), outcomeOf(&want[0]); !g.same(w) {
			t.Errorf("%s: %+v, want %+v", value, g, w)
		}
	}
}

// TestReadingsKeepNoRecord changes a record's memory after it was decoded, as who
// decodes the next one into the same buffer does.
func TestReadingsKeepNoRecord(t *testing.T) {
	d := NewDecoder(testSource(Auto), Filter{Events: []string{"get_treatment"}})
	buffer := make([]byte, 2000)
	for i := range 20 {
		want := segmentEvent(i)
		value := append(buffer[:0], want...)
		got := d.Decode(nil, value)
		m := &got[0].Impression
		if string(m.User) != fmt.Sprintf("user-%d", i) || string(m.Label) != "default rule" || string(m.EnvironmentName) != "Production" {
			t.Fatalf("%+v", m)
		}
		copy(value, bytes.Repeat([]byte("x"), len(value)))
	}
}

// TestReadingsDoNotAllocate holds a stream that is alike to none at all.
func TestReadingsDoNotAllocate(t *testing.T) {
	d := NewDecoder(testSource(Auto), Filter{Events: []string{"get_treatment"}})
	var records [][]byte
	for i := range 50 {
		records = append(records, segmentEvent(i))
	}
	var elements []Element
	run := func() {
		d.Reset()
		for _, record := range records {
			elements = d.Decode(elements[:0], record)
		}
	}
	run()
	if allocs := testing.AllocsPerRun(20, run); allocs > 0 {
		t.Errorf("%.1f allocations", allocs)
	}
}

// FuzzReadings puts any value into an event of each layout, after two that are
// as usual.
func FuzzReadings(f *testing.F) {
	for _, values := range [][]string{textValues, timeValues, versionValues} {
		for _, value := range values {
			f.Add(uint8(3), []byte(value))
		}
	}
	f.Fuzz(func(t *testing.T, at uint8, other []byte) {
		src, filter := testSource(Auto), Filter{Events: []string{"get_treatment"}}
		for _, layout := range layouts {
			d, plain := NewDecoder(src, filter), withoutTemplates(src, filter)
			for i := range 4 {
				value := fill(layout, i, int(at), other)
				sameElements(t, d, plain, value)
			}
		}
	})
}

// fill puts usual values into a layout, and after two events another one into
// one of its places.
func fill(layout string, i, at int, other []byte) []byte {
	var b []byte
	places := strings.Count(layout, "<")
	for n, part := range strings.Split(layout, "<") {
		name, text, ok := strings.Cut(part, ">")
		if !ok {
			b = append(b, part...)
			continue
		}
		if name != "any" {
			b = append(b, `"`+name+`":`...)
		}
		switch {
		case i >= 2 && n-1 == at%places:
			b = append(b, other...)
		case name == "type":
			b = append(b, `"track"`...)
		case name == "event":
			b = append(b, `"get_treatment"`...)
		case strings.HasPrefix(name, "time") || strings.HasSuffix(name, "At"):
			b = fmt.Appendf(b, `"2026-03-02T10:15:3%d.000Z"`, i)
		case strings.HasPrefix(name, "splitV") || name == "changeNumber":
			b = fmt.Appendf(b, `166543697346%d`, i)
		default:
			b = fmt.Appendf(b, `"v%d"`, i)
		}
		b = append(b, text...)
	}
	return b
}

// TestReadingsOfWhatIsMissing makes readings of events in which a member is empty
// that goes before others where it is not.
func TestReadingsOfWhatIsMissing(t *testing.T) {
	const properties = `"properties":{"split":"f","treatment":"on","label":LABEL}}`
	filter := Filter{Events: []string{"get_treatment"}}
	for _, layout := range []string{
		`{"type":"track","event":"get_treatment","userId":USER,"anonymousId":"a","timestamp":"2026-03-02T10:15:30.000Z",` + properties,
		`{"type":"track","event":"get_treatment","userId":"u","timestamp":TIME,"originalTimestamp":"2026-03-02T10:15:30.000Z",` + properties,
		`{"type":"track","event":"get_treatment","userId":"u","timestamp":null,"originalTimestamp":TIME,"receivedAt":OTHER,` + properties,
	} {
		for _, order := range []string{"eefef", "efef", "effeef", "feffe", "feef", "eeeef", "ffffe"} {
			d, plain := NewDecoder(testSource(Auto), filter), withoutTemplates(testSource(Auto), filter)
			for i, c := range order {
				event := strings.NewReplacer("USER", `""`, "TIME", `""`, "OTHER", `"2026-03-02T10:15:32.000Z"`, "LABEL", `""`)
				if c == 'f' {
					event = strings.NewReplacer("USER", fmt.Sprintf(`"u%d"`, i), "TIME", fmt.Sprintf(`"2026-03-02T10:15:3%d.000Z"`, i),
						"OTHER", `"2026-03-02T10:15:32.000Z"`, "LABEL", `"x"`)
				}
				sameElements(t, d, plain, []byte(event.Replace(layout)))
			}
		}
	}
}
