package avro

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	hamba "github.com/hamba/avro/v2"
	"pgregory.net/rapid"
)

// Producers whose libraries do not look at names have such schemas, and their
// records are read.
func TestNamesOfAnyCharacters(t *testing.T) {
	text := `{"type":"record","name":"Seen-it","namespace":"com.acme.my-app","aliases":["old-name"],"fields":[
		{"name":"split-name","aliases":["flag-name"],"type":"string"},
		{"name":"\"größe\"","type":{"type":"enum","name":"2nd","symbols":["very-large","S"]}},
		{"name":"same","type":["null","2nd"]},
		{"name":"also","type":"com.acme.my-app.2nd"},
		{"name":"next","type":["null","Seen-it"]}]}`
	if _, err := hamba.Parse(text); err == nil {
		t.Fatal("the library takes it too: the test says nothing")
	}
	got, err := parse(t, text).AppendJSON(nil, []byte("\x02f\x00\x02\x02\x02\x02\x02g\x02\x00\x00\x00"), Shown)
	want := `{"split-name":"f","\"größe\"":"very-large","same":"S","also":"S","next":{"split-name":"g","\"größe\"":"S","same":null,"also":"very-large","next":null}}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

// A name without a namespace is of the one around it; an empty one is none.
func TestNamespaces(t *testing.T) {
	for _, c := range []struct{ schema, canonical string }{
		{`{"type":"record","name":"R","namespace":"a.b","fields":[{"name":"f","type":{"type":"fixed","name":"F","size":1}},{"name":"g","type":"F"}]}`,
			`{"name":"a.b.R","type":"record","fields":[{"name":"f","type":{"name":"a.b.F","type":"fixed","size":1}},{"name":"g","type":"a.b.F"}]}`},
		{`{"type":"record","name":"x.R","namespace":"a.b","fields":[{"name":"f","type":{"type":"fixed","name":"F","size":1}},{"name":"g","type":"x.F"}]}`,
			`{"name":"x.R","type":"record","fields":[{"name":"f","type":{"name":"x.F","type":"fixed","size":1}},{"name":"g","type":"x.F"}]}`},
		{`{"type":"record","name":"R","namespace":"a","fields":[{"name":"f","type":{"type":"enum","namespace":"","name":"E","symbols":["S"]}},{"name":"g","type":"E"}]}`,
			`{"name":"a.R","type":"record","fields":[{"name":"f","type":{"name":"E","type":"enum","symbols":["S"]}},{"name":"g","type":"E"}]}`},
		{`{"type":"record","name":"R","namespace":"a","fields":[{"name":"f","type":{"type":"map","values":{"type":{"type":"array","items":["null",{"type":"R"}]}}}}]}`,
			`{"name":"a.R","type":"record","fields":[{"name":"f","type":{"type":"map","values":{"type":"array","items":["null","a.R"]}}}]}`},
	} {
		if got := string(appendCanonical(nil, parse(t, c.schema).root, map[string]bool{})); got != c.canonical {
			t.Errorf("%s\nis %s\nnot %s", c.schema, got, c.canonical)
		}
	}
}

func TestBadSchemas(t *testing.T) {
	for schema, want := range map[string]string{
		``:                             "end of JSON",
		`{`:                            "end of JSON",
		`1`:                            "not a name",
		`null`:                         "missing",
		`"text"`:                       `"text" is not known`,
		`{}`:                           "missing",
		`{"type":"x.Y"}`:               `"x.Y" is not known`,
		`{"type":"array"}`:             "missing",
		`{"type":"map"}`:               "missing",
		`["null",{"type":true}]`:       "bool",
		`{"type":"record"}`:            "no name",
		`{"type":"record","name":"R"}`: "no list of fields",
		`{"type":"record","name":"R","fields":[1]}`:                                                   "without a name",
		`{"type":"record","name":"R","fields":[{"name":"f"}]}`:                                        "missing",
		`{"type":"record","name":"R","fields":[{"name":"f","type":"int"},{"name":"f","type":"int"}]}`: "two of the same",
		`[{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":2}]`:                 "twice",
		`{"type":"enum","name":"E"}`:                                                                  "no list of symbols",
		`{"type":"enum","name":"E","symbols":[1]}`:                                                    "no text",
		`{"type":"fixed","name":"F"}`:                                                                 "no size",
		`{"type":"fixed","name":"F","size":-1}`:                                                       "no size",
		`{"type":"fixed","name":"F","size":1.5}`:                                                      "no size",
	} {
		if _, err := Parse(schema); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", schema, err, want)
		}
	}
}

// A logical type that is not valid leaves the type as it is.
func TestInvalidLogicalTypes(t *testing.T) {
	for _, schema := range []string{
		`{"type":"bytes","logicalType":"decimal"}`,
		`{"type":"bytes","logicalType":"decimal","precision":0}`,
		`{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}`,
		`{"type":"bytes","logicalType":"decimal","precision":2,"scale":"1"}`,
		`{"type":"bytes","logicalType":"timestamp-millis"}`,
		`{"type":"bytes","logicalType":7}`,
		`{"type":"fixed","name":"F","size":1,"logicalType":"decimal","precision":3}`,
	} {
		got, err := parse(t, schema).AppendJSON(nil, []byte("\x02a")[:2-strings.Count(schema, "fixed")], Shown)
		if want := map[bool]string{true: `"\u0002"`, false: `"a"`}[strings.Contains(schema, "fixed")]; err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", schema, got, err)
		}
	}
}

// drawSchema draws any schema that the library takes. Those that were named
// before may be referred to.
func drawSchema(t *rapid.T, deep int, named *[]string) any {
	kinds := []string{"null", "boolean", "int", "long", "float", "double", "string", "bytes", "fixed", "enum", "known"}
	if deep > 0 {
		kinds = append(kinds, "array", "map", "record", "union")
	}
	define := func(kind string) map[string]any {
		*named = append(*named, fmt.Sprintf("n.T%d", len(*named)))
		return map[string]any{"type": kind, "name": fmt.Sprintf("T%d", len(*named)-1), "namespace": "n", "doc": "no part of it"}
	}
	switch kind := rapid.SampledFrom(kinds).Draw(t, "kind"); kind {
	case "fixed":
		m := define(kind)
		m["size"] = rapid.IntRange(0, 20).Draw(t, "size")
		return m
	case "enum":
		m := define(kind)
		m["symbols"] = []any{"A", "B"}
		return m
	case "known":
		if len(*named) == 0 {
			return "int"
		}
		return rapid.SampledFrom(*named).Draw(t, "name")
	case "array":
		return map[string]any{"type": kind, "items": drawSchema(t, deep-1, named)}
	case "map":
		return map[string]any{"type": kind, "values": drawSchema(t, deep-1, named)}
	case "union":
		return []any{"null", map[string]any{"type": "array", "items": drawSchema(t, deep-1, named)}}
	case "record":
		m := define(kind)
		var fields []any
		for i := range rapid.IntRange(0, 4).Draw(t, "fields") {
			fields = append(fields, map[string]any{"name": fmt.Sprintf("f%d", i), "type": drawSchema(t, deep-1, named), "order": "ignore"})
		}
		m["fields"] = append([]any{}, fields...)
		return m
	default:
		return kind
	}
}

// The library takes what this package takes, and comes to the same fingerprint.
func TestFingerprintIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var named []string
		text, err := json.Marshal(drawSchema(t, 4, &named))
		if err != nil {
			t.Fatal(err)
		}
		library, err := hamba.ParseBytesWithCache(text, "", &hamba.SchemaCache{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		s, err := Parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if s.Fingerprint() != library.Fingerprint() {
			t.Fatalf("%s\nis %s\nnot %s", text, appendCanonical(nil, s.root, map[string]bool{}), library)
		}
	})
}
