package avro

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	hamba "github.com/hamba/avro/v2"
	"pgregory.net/rapid"
)

// all has every type that Avro has, and holds itself.
const all = `{"type":"record","name":"All","namespace":"n","fields":[
  {"name":"boolean","type":"boolean"},
  {"name":"int","type":"int"},
  {"name":"long","type":"long"},
  {"name":"float","type":"float"},
  {"name":"double","type":"double"},
  {"name":"string","type":"string"},
  {"name":"bytes","type":"bytes"},
  {"name":"fixed","type":{"type":"fixed","name":"Four","size":4}},
  {"name":"enum","type":{"type":"enum","name":"Color","symbols":["RED","GREEN"]}},
  {"name":"array","type":{"type":"array","items":"long"}},
  {"name":"map","type":{"type":"map","values":"string"}},
  {"name":"optional","type":["null","string"]},
  {"name":"color","type":["Color","null"]},
  {"name":"next","type":["null","All"]}
]}`

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func parse(t testing.TB, text string, referred ...string) *Schema {
	t.Helper()
	s, err := Parse(text, referred...)
	must(t, err)
	return s
}

// item draws what a field of all may be, as the library takes it.
func item(t *rapid.T, deep int) map[string]any {
	text := rapid.StringMatching("[a-z\"\\\\\n é🦊]{0,6}")
	m := map[string]any{
		"boolean":  rapid.Bool().Draw(t, "boolean"),
		"int":      int(rapid.Int32().Draw(t, "int")),
		"long":     rapid.Int64().Draw(t, "long"),
		"float":    rapid.Float32().Draw(t, "float"),
		"double":   rapid.Float64().Draw(t, "double"),
		"string":   text.Draw(t, "string"),
		"bytes":    rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "bytes"),
		"fixed":    [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "fixed")),
		"enum":     rapid.SampledFrom([]string{"RED", "GREEN"}).Draw(t, "enum"),
		"array":    rapid.SliceOfN(rapid.Int64(), 0, 300).Draw(t, "array"),
		"map":      rapid.MapOfN(text, text, 0, 3).Draw(t, "map"),
		"optional": rapid.SampledFrom([]any{nil, map[string]any{"string": "x"}}).Draw(t, "optional"),
		"color":    rapid.SampledFrom([]any{nil, map[string]any{"n.Color": "GREEN"}}).Draw(t, "color"),
		"next":     nil,
	}
	if deep > 0 && rapid.Bool().Draw(t, "there is a next one") {
		m["next"] = map[string]any{"n.All": item(t, deep-1)}
	}
	return m
}

// plain is what the JSON of such an item must say.
func plain(m map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range m {
		switch v := v.(type) {
		case []byte:
			out[name] = textOrBase64(v)
		case [4]byte:
			out[name] = textOrBase64(v[:])
		case map[string]any:
			for branch, inner := range v {
				out[name] = inner
				if branch == "n.All" {
					out[name] = plain(inner.(map[string]any))
				}
			}
		default:
			out[name] = v
		}
	}
	return out
}

func textOrBase64(b []byte) any {
	if s := string(b); strings.ToValidUTF8(s, "?") == s {
		return s
	}
	return map[string]any{"base64": b}
}

// What the library writes is read as what it means.
func TestJSONOfEveryType(t *testing.T) {
	s, library := parse(t, all), hamba.MustParse(all)
	rapid.Check(t, func(t *rapid.T) {
		m := item(t, 3)
		for _, config := range []hamba.Config{{}, {DisableBlockSizeHeader: true, BlockLength: 7}} {
			body, err := config.Freeze().Marshal(library, m)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.AppendJSON([]byte("before"), body, Shown)
			if err != nil || !bytes.HasPrefix(got, []byte("before")) {
				t.Fatalf("%s, %v", got, err)
			}
			want, err := json.Marshal(plain(m))
			if err != nil {
				t.Fatal(err)
			}
			if a, b := decoded(t, got[6:]), decoded(t, want); !reflect.DeepEqual(a, b) {
				t.Fatalf("%s\nis not\n%s", got[6:], want)
			}
		}
	})
}

// decoded reads JSON with numbers of any size.
func decoded(t *rapid.T, text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return numbers(v)
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _, err := big.ParseFloat(v.String(), 10, 200, big.ToNearestEven)
		if err != nil {
			return v
		}
		return f.Text('g', 40)
	case map[string]any:
		for name := range v {
			v[name] = numbers(v[name])
		}
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	}
	return v
}

func TestJSONOfLogicalTypes(t *testing.T) {
	const (
		ms = 1772446530123
		at = `"2026-03-02T10:15:30.123Z"`
	)
	for _, c := range []struct {
		schema string
		value  any
		facts  string
		shown  string
	}{
		{`{"type":"long","logicalType":"timestamp-millis"}`, time.UnixMilli(ms), fmt.Sprint(ms), at},
		{`{"type":"long","logicalType":"timestamp-micros"}`, time.UnixMicro(ms*1000 + 999), fmt.Sprint(ms), at},
		{`{"type":"long","logicalType":"timestamp-micros"}`, time.UnixMicro(-1), "-1", `"1969-12-31T23:59:59.999Z"`},
		{`{"type":"long","logicalType":"local-timestamp-millis"}`, time.UnixMilli(ms).UTC(), fmt.Sprint(ms), at},
		{`{"type":"long"}`, int64(ms), fmt.Sprint(ms), fmt.Sprint(ms)},
		{`"double"`, float64(ms), fmt.Sprint(ms), fmt.Sprint(ms)},
		{`"double"`, 1e300, "1e+300", "1e+300"},
		{`"double"`, math.NaN(), `"NaN"`, `"NaN"`},
		{`"double"`, math.Inf(-1), `"-Inf"`, `"-Inf"`},
		{`{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}`, big.NewRat(-3, 100), "-0.03", "-0.03"},
		{`{"type":"bytes","logicalType":"decimal","precision":20}`, big.NewRat(1665436973467, 1), "1665436973467", "1665436973467"},
		{`{"type":"fixed","name":"F","size":6,"logicalType":"decimal","precision":12,"scale":4}`, big.NewRat(5, 4), "1.2500", "1.2500"},
		{`{"type":"string","logicalType":"uuid"}`, "0c3a9f10-0000-0000-0000-000000000000", `"0c3a9f10-0000-0000-0000-000000000000"`, `"0c3a9f10-0000-0000-0000-000000000000"`},
	} {
		body, err := hamba.Marshal(hamba.MustParse(c.schema), c.value)
		must(t, err)
		s := parse(t, c.schema)
		for form, want := range map[Form]string{Facts: c.facts, Shown: c.shown} {
			if got, err := s.AppendJSON(nil, body, form); err != nil || string(got) != want {
				t.Errorf("%v of %s is %s, %v, want %s", c.value, c.schema, got, err, want)
			}
		}
	}
}

// Facts have no members that are null.
func TestFactsHaveNoNulls(t *testing.T) {
	s := parse(t, `{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"]},{"name":"b","type":"int"},{"name":"c","type":["null","int"]},{"name":"d","type":{"type":"record","name":"E","fields":[]}}]}`)
	for body, want := range map[string]string{
		"\x00\x02\x00":         `{"b":1,"d":{}}`,
		"\x02\x04\x02\x02\x06": `{"a":2,"b":1,"c":3,"d":{}}`,
	} {
		if got, err := s.AppendJSON(nil, []byte(body), Facts); err != nil || string(got) != want {
			t.Errorf("%q is %s, %v", body, got, err)
		}
	}
	if got, err := s.AppendJSON(nil, []byte("\x00\x02\x00"), Shown); err != nil || string(got) != `{"a":null,"b":1,"c":null,"d":{}}` {
		t.Errorf("%s, %v", got, err)
	}
}

// A schema may be in several texts.
func TestReferences(t *testing.T) {
	flag := `{"type":"record","name":"Flag","namespace":"x","fields":[{"name":"name","type":"string"}]}`
	s := parse(t, `{"type":"record","name":"I","fields":[{"name":"a","type":"x.Flag"},{"name":"b","type":["null","x.Flag"]}]}`, flag)
	got, err := s.AppendJSON(nil, []byte("\x02f\x02\x02g"), Shown)
	if err != nil || string(got) != `{"a":{"name":"f"},"b":{"name":"g"}}` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := Parse(`{"type":"record","name":"I","fields":[{"name":"a","type":"x.Flag"}]}`); err == nil {
		t.Error("a reference to nothing is taken")
	}
}

// Defaults have no say in what was written: a bad one, or one that is made to hurt,
// does not make a schema unreadable.
func TestDefaults(t *testing.T) {
	for _, c := range []struct{ field, body, want string }{
		{`"type":["string","null"],"default":null`, "\x02", "null"},
		{`"type":"long","default":"x"`, "\x02", "1"},
		{`"type":["R","null"],"default":{}`, "\x02", "null"},
		{`"type":[{"type":"array","items":"R"},"null"],"Default":[{}]`, "\x02", "null"},
		{`"type":[{"type":"fixed","name":"F","size":1099511627776},"null"],"DEFAULT":"x"`, "\x02", "null"},
		{`"type":{"type":"enum","name":"E","symbols":["A","B"],"default":"C"}`, "\x02", `"B"`},
	} {
		s, err := Parse(`{"type":"record","name":"R","fields":[{"name":"default",` + c.field + `}]}`)
		if err != nil {
			t.Errorf("%s: %v", c.field, err)
			continue
		}
		if got, err := s.AppendJSON(nil, []byte(c.body), Shown); err != nil || string(got) != `{"default":`+c.want+`}` {
			t.Errorf("%s: %s, %v", c.field, got, err)
		}
	}
	if s, err := Parse(`{"type":"record","name":"R","fields":[{"name":"self","type":"R","default":{}}]}`); err != nil {
		t.Error(err)
	} else if _, err := s.AppendJSON(nil, nil, Shown); !errors.Is(err, errDeep) {
		t.Errorf("a record in itself without end: %v", err)
	}
}

// A named type is read once, however often it is referred to.
func TestManyReferences(t *testing.T) {
	var fields, symbols []string
	for i := range 3000 {
		symbols = append(symbols, fmt.Sprintf(`"S%d"`, i))
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":"E"}`, i))
	}
	fields = append([]string{`{"name":"e","type":{"type":"enum","name":"E","symbols":[` + strings.Join(symbols, ",") + `]}}`}, fields...)
	s := parse(t, `{"type":"record","name":"R","fields":[`+strings.Join(fields, ",")+`]}`)
	for _, f := range s.root.fields {
		if f.of != s.root.fields[0].of {
			t.Fatalf("%s has an enum of its own", f.member)
		}
	}
}

// A body that is made to hurt is an error soon, and takes little.
func TestHostileBodies(t *testing.T) {
	list := `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`
	huge := string([]byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}) // the greatest long
	for _, c := range []struct {
		schema, body string
		want         error
	}{
		{list, strings.Repeat("\x02", 1<<20), errDeep},
		{`{"type":"array","items":"null"}`, huge + "\x00", errLarge},
		{`{"type":"array","items":{"type":"record","name":"E","fields":[]}}`, huge + "\x00", errLarge},
		{`{"type":"array","items":{"type":"fixed","name":"Z","size":0}}`, huge + "\x00", errLarge},
		{`{"type":"array","items":"long"}`, huge, errEnds},
		{`{"type":"array","items":"long"}`, "\x01\x02", errEnds}, // a block of -1 items
		{`"string"`, huge, errEnds},
		{`"string"`, "\x01", errEnds}, // of length -1
		{`"bytes"`, "\x04a", errEnds},
		{`"long"`, strings.Repeat("\xff", 11), errEnds},
		{`"long"`, "\x00\x00", errRest},
		{`"boolean"`, "\x02", errValue},
		{`["null","int"]`, "\x04\x00", errValue},
		{`["null","int"]`, "\x01", errValue},
		{`{"type":"enum","name":"E","symbols":["A"]}`, "\x02", errValue},
	} {
		for _, form := range []Form{Facts, Shown} {
			got, err := parse(t, c.schema).AppendJSON(nil, []byte(c.body), form)
			if !errors.Is(err, c.want) {
				t.Errorf("%.20q by %.50s: %v, want %v", c.body, c.schema, err, c.want)
			}
			if most := 2*(maxShown+maxGrowth*len(c.body)) + 4096; cap(got) > most {
				t.Errorf("%.20q by %.50s took %d bytes", c.body, c.schema, cap(got))
			}
		}
	}
}

// Fields that are null, take nothing in the body and are left out of the JSON
// count all the same: many of them in each of many records would take minutes.
func TestHostileNulls(t *testing.T) {
	var fields []string
	for i := range 1000 {
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":"null"}`, i))
	}
	s := parse(t, `{"type":"record","name":"R","fields":[{"name":"s","type":"string"},
		{"name":"a","type":{"type":"array","items":{"type":"record","name":"W","fields":[`+strings.Join(fields, ",")+`]}}}]}`)
	body := binary.AppendVarint(nil, 1<<14)
	body = append(body, strings.Repeat("x", 1<<14)...)
	body = append(binary.AppendVarint(body, math.MaxInt64), 0)
	got, err := s.AppendJSON(nil, body, Facts)
	if !errors.Is(err, errLarge) || len(got) > 1<<15 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestSplit(t *testing.T) {
	guid := "\x01" + "0123456789abcdef"
	// SchemaId("AVRO", 258, "2d51477a-8eaa-8a8d-b0a6-a102a0e75476") of confluent-kafka 2.11.1 for
	// Python: guid_to_bytes() and id_to_bytes().
	const confluentGUID, confluentID = "\x01\x2d\x51\x47\x7a\x8e\xaa\x8a\x8d\xb0\xa6\xa1\x02\xa0\xe7\x54\x76", "\x00\x00\x00\x01\x02"
	for _, c := range []struct{ data, header, id, body string }{
		{"\x00\x00\x00\x01\x02body", "", "258", "body"},
		{"\x00\x00\x00\x00\x01", "", "1", ""},
		{"body", confluentGUID, "2d51477a-8eaa-8a8d-b0a6-a102a0e75476", "body"},
		{"body", confluentID, "258", "body"},
		{confluentID + "body", "", "258", "body"},
		{"body", guid, "30313233-3435-3637-3839-616263646566", "body"},
		{"\x00\x00\x00\x00\x01body", guid, "30313233-3435-3637-3839-616263646566", "\x00\x00\x00\x00\x01body"},
		{"body", "\x00\x00\x00\x00\x07", "7", "body"},
		{"\x00\x00\x00\x00\x01body", "text", "1", "body"},
	} {
		id, body, ok := Split([]byte(c.data), []byte(c.header))
		if !ok || id.String() != c.id || string(body) != c.body {
			t.Errorf("%q with %q is %s of schema %s, %v", c.data, c.header, body, id, ok)
		}
	}
	for _, bad := range []struct{ data, header string }{
		{"", ""}, {"\x00\x00\x00\x01", ""}, {"{}", ""}, {"\x00\xff\x00\x00\x00x", ""}, {"\x01\x00\x00\x00\x01x", ""},
		{"x", "\x01" + strings.Repeat("\x00", 16)}, {"x", "\x01short"},
	} {
		if id, _, ok := Split([]byte(bad.data), []byte(bad.header)); ok {
			t.Errorf("%q with %q has schema %s", bad.data, bad.header, id)
		}
	}
}

// FuzzJSON reads any bytes by the schema of every type.
func FuzzJSON(f *testing.F) {
	s := parse(f, all)
	f.Add([]byte(strings.Repeat("\x00", 40)))
	f.Add([]byte("\x01\x02\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02a\x02b1234\x02\x01\x04\x02\x00\x02\x02a\x02b\x00\x02\x02x\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, form := range []Form{Facts, Shown} {
			got, err := s.AppendJSON(nil, body, form)
			if len(got) > maxShown+maxGrowth*len(body)+len(body)+1024 {
				t.Fatalf("%d bytes of %d", len(got), len(body))
			}
			if err == nil && !json.Valid(got) {
				t.Fatalf("%s is no JSON", got)
			}
		}
	})
}

// FuzzParse reads any text as a schema, and any bytes by it.
func FuzzParse(f *testing.F) {
	f.Add(all, []byte{0})
	f.Add(`["null",{"type":"array","items":"null"}]`, []byte("\x02\x06\x00"))
	f.Add(`{"type":"record","name":"R","namespace":"com.acme.my-app","fields":[{"name":"a-b","type":["null","R"]}]}`, []byte("\x02\x00"))
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		s, err := Parse(text)
		if err != nil || len(body) > 1<<10 {
			return
		}
		if form := appendCanonical(nil, s.root, map[string]bool{}); !json.Valid(form) {
			t.Fatalf("the canonical form is %s", form)
		}
		if got, err := s.AppendJSON(nil, body, Facts); err == nil && !json.Valid(got) {
			t.Fatalf("%s is no JSON", got)
		}
	})
}
