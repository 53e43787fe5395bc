package impression

import (
	"strings"
	"testing"
)

// TestCases names the fine points of reading, a record each. USER, FLAG, ON and
// TIME stand for good members.
func TestCases(t *testing.T) {
	members := strings.NewReplacer(
		"USER", `"key":"u"`, "FLAG", `"split":"f"`, "ON", `"treatment":"on"`, "TIME", `"time":1772446530123`,
		"TRACK", `"type":"track","event":"get_treatment"`, "STAMP", `"timestamp":"2026-03-02T10:15:30Z"`,
		"PROPS", `"properties":{"split":"f","treatment":"on"}`,
		"GOOD", `{"k":"u","t":"on","m":1772446530123}`, "NICE", `{"keyName":"u","treatment":"on","time":1772446530123}`,
	)
	for _, c := range []struct{ name, format, record, want string }{
		{"webhook", "auto", `{USER,FLAG,ON,TIME}`, "admitted"},
		{"key and treatment are enough for a webhook", "auto", `{USER,ON}`, "missing_flag"},
		{"key and time are, too", "auto", `{USER,TIME}`, "missing_flag"},
		{"a key alone is not", "auto", `{USER}`, "unknown_shape"},
		{"whatever the value of the name", "auto", `{"split":null}`, "missing_user"},
		{"no sniffing under a format", "split-webhook", `{}`, "missing_user"},
		{"names of other shapes do not count", "split-export", `{USER,FLAG,ON,TIME,"impressions":5,"i":5,"type":"x"}`, "admitted"},
		{"the first missing fact is the reason", "split-webhook", `{"time":"x"}`, "missing_user"},
		{"flag before treatment", "split-webhook", `{USER}`, "missing_flag"},
		{"treatment before time", "split-webhook", `{USER,FLAG}`, "missing_treatment"},
		{"time last", "split-webhook", `{USER,FLAG,ON}`, "missing_time"},
		{"a bad user before a missing flag", "split-webhook", `{"key":"\ud800"}`, "bad_user"},
		{"malformed before all", "split-webhook", `{"label":5}`, "malformed"},
		{"two aliases", "auto", `{USER,"keyName":"u",FLAG,ON,TIME}`, "malformed"},
		{"two aliases, one null", "auto", `{USER,"keyName":null,FLAG,ON,TIME}`, "malformed"},
		{"twice the same", "auto", `{USER,FLAG,FLAG,ON,TIME}`, "malformed"},
		{"twice by an escape", "auto", `{USER,FLAG,"spl\u0069t":"f",ON,TIME}`, "malformed"},
		{"two times", "auto", `{USER,FLAG,ON,TIME,STAMP}`, "malformed"},
		{"the reception is no time", "auto", `{USER,FLAG,ON,TIME,"receptionTimestamp":1}`, "admitted"},
		{"no fact twice", "auto", `{USER,FLAG,ON,TIME,"sdk":1,"sdk":2,"properties":1,"properties":2}`, "admitted"},
		{"short names are bulk's", "split-webhook", `{"k":"u",FLAG,ON,TIME}`, "missing_user"},
		{"a flag that is not UTF-8", "auto", "{USER,\"split\":\"\xff\",ON,TIME}", "malformed"},
		{"a time that is not UTF-8", "auto", "{USER,FLAG,ON,\"time\":\"\xff\"}", "malformed"},
		{"what is no fact may be", "auto", "{USER,FLAG,ON,TIME,\"sdk\":\"\xff\",\"x\\ud800\":\"\\ud800\"}", "admitted"},
		{"version of a wrong type", "auto", `{USER,FLAG,ON,TIME,"splitVersion":[]}`, "malformed"},
		{"version with a fraction", "auto", `{USER,FLAG,ON,TIME,"splitVersion":1.5}`, "malformed"},
		{"version as a power", "auto", `{USER,FLAG,ON,TIME,"splitVersion":"1e3"}`, "admitted"},
		{"version that is empty", "auto", `{USER,FLAG,ON,TIME,"splitVersion":""}`, "admitted"},

		{"arrays sniff each element", "auto", `[{USER,FLAG,ON,TIME},{"f":"f","i":[GOOD,GOOD]},{"hello":1},{TRACK},[],{"event":"x"}]`,
			"admitted admitted admitted unknown_shape missing_user unknown_shape skipped"},
		{"empty array", "auto", ` [ ] `, ""},

		{"listener", "auto", `{"impression":{"keyName":"u","feature":"f",ON,TIME},"key":"x"}`, "admitted"},
		{"listener before all", "auto", `{"impression":null,"impressions":[],"f":1,"type":1}`, "missing_user"},
		{"listener of a wrong type", "auto", `{"impression":[]}`, "malformed"},
		{"listener twice", "auto", `{"impression":{},"impression":{}}`, "malformed"},
		{"no listener", "split-listener", `{"impressions":[]}`, "unknown_shape"},

		{"synchronizer before bulk", "auto", `{"impressions":[{"testName":"f","keyImpressions":[NICE,NICE]}],"f":1}`, "admitted admitted"},
		{"no groups", "auto", `{"impressions":null}`, ""},
		{"no impressions", "auto", `{"impressions":[{"testName":5},{"keyImpressions":null},{"keyImpressions":[]}]}`, ""},
		{"a list that is none", "auto", `{"impressions":{}}`, "malformed"},
		{"a group that is none", "auto", `{"impressions":[5,null,{"testName":"f","keyImpressions":[NICE]}]}`, "malformed malformed admitted"},
		{"a list twice", "auto", `{"impressions":[],"impressions":[]}`, "malformed"},
		{"an inner list twice", "auto", `{"impressions":[{"keyImpressions":[],"keyImpressions":[]}]}`, "malformed"},
		{"a flag twice", "auto", `{"impressions":[{"testName":"f","testName":"f","keyImpressions":[NICE,{}]}]}`, "malformed malformed"},
		{"the group's flag alone", "auto", `{"impressions":[{"testName":"f","keyImpressions":[{"split":5,"keyName":"u",ON,TIME}]}]}`, "admitted"},
		{"a group by itself", "split-synchronizer", `{"testName":"f","keyImpressions":[NICE,7]}`, "admitted unknown_shape"},
		{"not by auto", "auto", `{"testName":"f","keyImpressions":[NICE]}`, "unknown_shape"},
		{"no group", "split-synchronizer", `{"testName":"f"}`, "unknown_shape"},

		{"bulk before segment", "auto", `{"f":"f","i":[GOOD],"type":"x"}`, "admitted"},
		{"bulk with long names", "auto", `{"f":"f","i":[NICE]}`, "admitted"},
		{"bulk without a flag", "auto", `{"i":[GOOD,{},null]}`, "missing_flag missing_user unknown_shape"},
		{"bulk without a list", "auto", `{"f":"f"}`, ""},
		{"bulk with a bad flag", "auto", `{"f":7,"i":[GOOD]}`, "malformed"},
		{"both names of the user", "auto", `{"f":"f","i":[{"k":"u","keyName":"u","t":"on","m":1772446530123}]}`, "malformed"},
		{"no bulk", "split-bulk", `{USER,FLAG,ON,TIME}`, "unknown_shape"},
		{"et is not looked at", "split-bulk", `[{"f":"f","et":1,"i":[{"k":"u","t":"on","m":1772446530123,"et":[]}]}]`, "admitted"},

		{"segment", "auto", `{TRACK,"userId":"u",STAMP,PROPS}`, "admitted"},
		{"other calls", "auto", `{"type":"page","event":"get_treatment"}`, "skipped"},
		{"other events", "auto", `{"type":"track","event":"x","userId":5}`, "skipped"},
		{"no event", "auto", `{"type":"track"}`, "skipped"},
		{"neither type nor event", "segment", `{USER,FLAG,ON,TIME}`, "skipped"},
		{"a type that is none", "auto", `{"type":7,"event":"get_treatment"}`, "missing_user"},
		{"the last event counts", "auto", `{"event":"get_treatment","event":"x"}`, "skipped"},
		{"a bad user id", "auto", `{TRACK,"userId":5,"anonymousId":"a",STAMP,PROPS}`, "malformed"},
		{"an anonymous id nobody looks at", "auto", `{TRACK,"userId":"u","anonymousId":5,STAMP,PROPS}`, "admitted"},
		{"one that somebody looks at", "auto", `{TRACK,"userId":null,"anonymousId":5,STAMP,PROPS}`, "malformed"},
		{"an anonymous id twice", "auto", `{TRACK,"userId":"u","anonymousId":"a","anonymousId":"a",STAMP,PROPS}`, "malformed"},
		{"the first time must be good", "auto", `{TRACK,"userId":"u","timestamp":"x","sentAt":"2026-03-02T10:15:30Z",PROPS}`, "bad_time"},
		{"others are not looked at", "auto", `{TRACK,"userId":"u",STAMP,"sentAt":{},PROPS}`, "admitted"},
		{"empty times are none", "auto", `{TRACK,"userId":"u","timestamp":"","originalTimestamp":null,"receivedAt":1772446530123,PROPS}`, "admitted"},
		{"a time twice", "auto", `{TRACK,"userId":"u",STAMP,"sentAt":1,"sentAt":1,PROPS}`, "malformed"},
		{"properties twice", "auto", `{TRACK,"userId":"u",STAMP,PROPS,PROPS}`, "malformed"},
		{"properties null", "auto", `{TRACK,"userId":"u",STAMP,"properties":null}`, "missing_flag"},
		{"properties empty", "auto", `{TRACK,"userId":"u",STAMP,"properties":""}`, "malformed"},
		{"properties in a string", "auto", `{TRACK,"userId":"u",STAMP,"properties":" {\"split\":\"f\",\"treatment\":\"\\u006fn\"} "}`, "admitted"},
		{"with more behind", "auto", `{TRACK,"userId":"u",STAMP,"properties":"{} {}"}`, "malformed"},
		{"with an array", "auto", `{TRACK,"userId":"u",STAMP,"properties":"[]"}`, "malformed"},
		{"with a lone surrogate", "auto", `{TRACK,"userId":"u",STAMP,"properties":"{\"split\":\"f\ud800\"}"}`, "malformed"},
		{"with a fact twice", "auto", `{TRACK,"userId":"u",STAMP,"properties":"{\"split\":\"f\",\"split\":\"f\"}"}`, "malformed"},
		{"no aliases there", "auto", `{TRACK,"userId":"u",STAMP,"properties":{"feature":"f","treatment":"on"}}`, "missing_flag"},
	} {
		record := []byte(members.Replace(c.record))
		src := testSource(Format(c.format))
		check(t, src, testFilter, record)
		var got []string
		for _, e := range NewDecoder(src, testFilter).Decode(nil, record) {
			got = append(got, describe(&e))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s\n%s, want %s", c.name, record, got, c.want)
		}
	}
}

// TestSniff gives each name that tells a shape, alone.
func TestSniff(t *testing.T) {
	shapes := map[shape]string{
		listener: "impression", synchronizer: "impressions", bulk: "f i", segment: "type event",
		flat: "splitName splitVersion receptionTimestamp split feature", unknown: "key treatment time timestamp testName keyImpressions properties",
	}
	for want, list := range shapes {
		for _, text := range strings.Fields(list) {
			if got := sniff(setOf(lookup([]byte(text)))); got != want {
				t.Errorf("%s: shape %d, want %d", text, got, want)
			}
		}
	}
}

// TestMessages shows what people read of refused elements.
func TestMessages(t *testing.T) {
	for record, want := range map[string]string{
		`{"key":7,"split":"f"}`:               `"key" is a number, not a string`,
		`{"key":"u","keyName":"u","time":1}`:  `"key" and "keyName" stand in one object`,
		`{"split":"f","split":"f"}`:           `"split" stands twice in an object`,
		`{"split":"f","splitVersion":"1.5"}`:  `"splitVersion" is no whole number of 64 bits: "1.5"`,
		`{"split":"f","splitVersion":true}`:   `"splitVersion" is a boolean, not a whole number`,
		`{"split":"f","label":"\ud800"}`:      `"label" is not valid UTF-8: "\xed\xa0\x80"`,
		`{"split":"f"}`:                       `no user key`,
		`{"f":"f","i":7}`:                     `"i" is a number, not an array`,
		`{"hello":1}`:                         `an object of no known shape`,
		`null`:                                `null, not an object`,
		`{`:                                   `not valid JSON: it ends at byte 1, wanted a name in double quotes`,
		`[1,}`:                                `not valid JSON: "}" at byte 3, wanted a value`,
		`{"impression":null}`:                 `no user key: "impression" is null`,
		`{"event":"get_treatment"}`:           `no user key`,
		`{"key":"u","time":1772446530}`:       `no flag name`,
		`{"event":"größe","properties":"[]"}`: `"properties" is a string that holds no JSON object`,
		`{"key":"u","split":"f","treatment":"on","time":1772446530}`:                        `time 1772446530 lies before 2010 (is it in seconds?)`,
		`{"key":"u","split":"f","treatment":"on","time":-5}`:                                `time -5 lies before 2010`,
		`{"key":"u","split":"f","treatment":"on","time":"noon"}`:                            `time "noon" is neither milliseconds nor RFC 3339`,
		`{"key":"u","split":"f","treatment":"on","time":"2009-01-01T00:00:00Z"}`:            `time "2009-01-01T00:00:00Z" lies before 2010`,
		`{"key":"u","split":"f","treatment":"on","time":1e400}`:                             `time "1e400" is too large`,
		`{"key":"u","split":"f","treatment":"on","time":[]}`:                                `"time" is an array, not a time`,
		`{"key":"` + strings.Repeat("ü", 600) + `","split":"f"}`:                            `the user key is longer than 1024 bytes: "` + strings.Repeat("ü", 20) + `"...`,
		`{"key":"a` + strings.Repeat("ü", 600) + `","split":"f"}`:                           `the user key is longer than 1024 bytes: "a` + strings.Repeat("ü", 19) + `"...`,
		`{"key":"u","split":"f","treatment":"on","time":"` + strings.Repeat("9", 90) + `"}`: `time "` + strings.Repeat("9", 40) + `"... is too large`,
	} {
		got := NewDecoder(testSource(Auto), testFilter).Decode(nil, []byte(record))
		if len(got) != 1 || got[0].Message != want {
			t.Errorf("%s: %q, want %q", record, got[0].Message, want)
		}
	}
}
