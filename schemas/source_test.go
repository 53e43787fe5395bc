package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	hamba "github.com/hamba/avro/v2"
	"pgregory.net/rapid"

	"traitstream/impression"
	"traitstream/schemas/avro"
)

const webhookAvro = `{"type":"record","name":"Webhook","fields":[
	{"name":"key","type":["null","string"]},
	{"name":"split","type":"string"},
	{"name":"treatment","type":"string"},
	{"name":"time","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"label","type":["null","string"],"default":null},
	{"name":"environmentName","type":["null","string"],"default":null},
	{"name":"splitVersionNumber","type":"long"},
	{"name":"sdk","type":"string"},
	{"name":"properties","type":{"type":"map","values":["null","string","double","boolean"]}}
]}`

func avroSource() impression.Source {
	return impression.Source{Topic: "a", Format: impression.Avro, Identity: impression.User}
}

var sourceFilter = impression.Filter{Extras: true, Properties: []string{"plan", "none"}}

// event draws a webhook's impression, as JSON and as Avro.
func event(t *rapid.T) (inJSON, inAvro []byte) {
	text := func(label string) string { return string(utf8Text(t, label)) }
	optional := func(label string) any {
		if rapid.Bool().Draw(t, "there is a "+label) {
			return text(label)
		}
		return nil
	}
	v := map[string]any{
		"key": optional("key"), "split": text("split"), "treatment": text("treatment"),
		"time": rapid.Int64Range(1262300000000, 253402300799999).Draw(t, "time"), "label": optional("label"),
		"environmentName": optional("environment"), "splitVersionNumber": rapid.Int64().Draw(t, "version"), "sdk": text("sdk"),
		"properties": map[string]any{"plan": rapid.SampledFrom([]any{nil, "pro", 2.5, true}).Draw(t, "plan")},
	}
	inJSON, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range v { // as the library wants unions
		if s, ok := value.(string); ok && (name == "key" || name == "label" || name == "environmentName") {
			v[name] = map[string]any{"string": s}
		}
	}
	properties, _ := v["properties"].(map[string]any)
	switch plan := properties["plan"].(type) {
	case string:
		properties["plan"] = map[string]any{"string": plan}
	case float64:
		properties["plan"] = map[string]any{"double": plan}
	case bool:
		properties["plan"] = map[string]any{"boolean": plan}
	}
	body, err := untimed.Marshal(hamba.MustParse(webhookAvro), v)
	if err != nil {
		t.Fatal(err)
	}
	return inJSON, append(avro.AppendPrefix(nil, 1), body...)
}

// untimed takes numbers for times too.
var untimed = hamba.Config{}.Freeze()

// Names that Avro does not allow, and producers have, are no reason to refuse a
// source.
func TestAvroSourceOfAnyNamespace(t *testing.T) {
	schema := strings.Replace(webhookAvro, `"name":"Webhook"`, `"name":"web-hook","namespace":"com.acme.my-app"`, 1)
	rapid.Check(t, func(t *rapid.T) {
		_, value := event(t)
		want, err := NewDecoder(avroSource(), sourceFilter, registered(webhookAvro)).Decode(nil, value, nil)
		got, failed := NewDecoder(avroSource(), sourceFilter, registered(schema)).Decode(nil, value, nil)
		if err != nil || failed != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v is not %+v, %v", got, failed, want, err)
		}
	})
}

// A source in Avro says what the same says in JSON, and a record that is refused
// is refused with its own bytes.
func TestAvroSourceSaysWhatJSONSays(t *testing.T) {
	src := avroSource()
	inAvro := NewDecoder(src, sourceFilter, registered(webhookAvro))
	src.Format = impression.SplitWebhook
	inJSON := NewDecoder(src, sourceFilter, nil)
	rapid.Check(t, func(t *rapid.T) {
		text, value := event(t)
		want, err := inJSON.Decode(nil, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := inAvro.Decode(nil, value, nil)
		if err != nil || len(got) != 1 {
			t.Fatalf("%d elements, %v", len(got), err)
		}
		if !bytes.Equal(got[0].Raw(), value) || !bytes.Equal(got[0].Bytes(), value) {
			t.Fatalf("%q stands for %q", got[0].Raw(), value)
		}
		got[0].StandFor(nil)
		want[0].StandFor(nil)
		for _, e := range []*impression.Element{&got[0], &want[0]} {
			for i := range e.Impression.Properties { // escapes may differ
				e.Impression.Properties[i].JSON = nil
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nis %+v\nand in Avro %+v", text, want[0], got[0])
		}
	})
}

// What has been decoded stays as it is until Reset, whatever comes after it.
func TestAvroElementsLast(t *testing.T) {
	d := NewDecoder(avroSource(), sourceFilter, registered(webhookAvro))
	rapid.Check(t, func(t *rapid.T) {
		d.Reset()
		var all []impression.Element
		var texts []string
		for range rapid.IntRange(1, 50).Draw(t, "records") {
			text, value := event(t)
			var err error
			if all, err = d.Decode(all, value, nil); err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
		src := avroSource()
		src.Format = impression.SplitWebhook
		for i, text := range texts {
			want := NewDecoder(src, sourceFilter, nil)
			one, err := want.Decode(nil, []byte(text), nil)
			if err != nil || !bytes.Equal(all[i].Impression.User, one[0].Impression.User) || !bytes.Equal(all[i].Impression.Flag, one[0].Impression.Flag) {
				t.Fatalf("element %d has become %+v", i, all[i].Impression)
			}
		}
	})
}

func TestAvroRefusals(t *testing.T) {
	text := []byte(`"string"`)
	d := NewDecoder(avroSource(), sourceFilter, registered(webhookAvro, string(text), `{"type":"array","items":"string"}`, `{"type":"map","values":"string"}`))
	for _, c := range []struct {
		value  string
		reason impression.Reason
	}{
		{"", impression.Malformed},
		{"{}", impression.Malformed},
		{`{"key":"u","split":"f","treatment":"on","time":1772446530123}`, impression.Malformed},
		{"\x00\x00\x00\x00\x01", impression.Malformed},
		{"\x00\x00\x00\x00\x07x", UnknownSchema},
		{"\x00\x00\x00\x00\x02\x02x", impression.UnknownShape},
		{"\x00\x00\x00\x00\x03\x00", impression.UnknownShape},
		{"\x00\x00\x00\x00\x04\x00", impression.MissingUser},
	} {
		got, err := d.Decode(nil, []byte(c.value), nil)
		if err != nil || len(got) != 1 || got[0].Outcome != impression.Refused || got[0].Reason != c.reason || string(got[0].Raw()) != c.value {
			t.Errorf("%q: %+v, %v; want %s", c.value, got, err, c.reason)
		}
	}
	if got, err := d.Decode(nil, nil, nil); err != nil || len(got) != 1 || got[0].Reason != impression.Malformed || got[0].Raw() != nil {
		t.Errorf("no value: %+v, %v", got, err)
	}
	away := NewDecoder(avroSource(), sourceFilter, func(avro.ID) (*avro.Schema, error) { return nil, avro.ErrAway })
	before := make([]impression.Element, 3)
	if got, err := away.Decode(before, []byte("\x00\x00\x00\x00\x01x"), nil); !errors.Is(err, avro.ErrAway) || len(got) != 3 {
		t.Errorf("%d elements, %v while the registry is away", len(got), err)
	}
}

// FuzzAvroSource decodes any bytes as records of a source.
func FuzzAvroSource(f *testing.F) {
	f.Add([]byte("\x02\x02u\x02f\x04on\x96\xa5\xb2\xc4\x9ag\x00\x00\x00\x04go\x00"), byte(1))
	f.Add([]byte{}, byte(2))
	d := NewDecoder(avroSource(), sourceFilter, registered(webhookAvro, `{"type":"map","values":["null","string","bytes","double"]}`))
	f.Fuzz(func(t *testing.T, body []byte, schema byte) {
		defer d.Reset()
		value := append(avro.AppendPrefix(nil, int32(schema)), body...)
		got, err := d.Decode(nil, value, nil)
		if err != nil || len(got) != 1 || !bytes.Equal(got[0].Raw(), value) {
			t.Fatalf("%+v, %v", got, err)
		}
		again, ok, err := AppendFacts(nil, value, nil, registered(webhookAvro, `{"type":"map","values":["null","string","bytes","double"]}`))
		if err != nil || ok && !json.Valid(again) || !ok && got[0].Outcome != impression.Refused {
			t.Fatalf("%s, %v, %v", again, ok, err)
		}
	})
}
