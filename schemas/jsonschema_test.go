package schemas

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	hamba "github.com/hamba/avro/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"traitstream/trait"
)

func compiled(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(file)
	check(t, err)
	return s
}

func validate(s *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// Every change that can be made is valid.
func TestChangesAreValid(t *testing.T) {
	key, value := compiled(t, "key.schema.json"), compiled(t, "value.schema.json")
	rapid.Check(t, func(t *rapid.T) {
		k, e := keys().Draw(t, "key"), changed(t)
		k.User = append(k.User, 'u')
		if err := validate(key, AppendKey(nil, k)); err != nil {
			t.Fatal(err)
		}
		if err := validate(value, AppendValue(nil, k, &e, [16]byte{1})); err != nil {
			t.Fatal(err)
		}
	})
}

// What a subscriber counts on is required, and of its type.
func TestInvalidChanges(t *testing.T) {
	key, value := compiled(t, "key.schema.json"), compiled(t, "value.schema.json")
	k, r := example()
	good := map[*jsonschema.Schema][]byte{key: AppendKey(nil, k), value: AppendValue(nil, k, &r.Emitted, [16]byte{1})}
	for s, text := range good {
		check(t, validate(s, text))
		var members map[string]any
		check(t, json.Unmarshal(text, &members))
		for name, was := range members {
			for _, bad := range []any{nil, []string{}, "?"} {
				if bad == nil && slices.Contains([]string{"previous", "environment", "label"}, name) || // these may be null
					bad == "?" && slices.Contains([]string{"id", "trait", "value", "previous", "split", "environment", "label", "definition"}, name) || // these are text
					slices.Contains([]string{"value", "previous"}, name) && bad != nil {
					continue
				}
				members[name] = bad
				if broken, err := json.Marshal(members); err != nil || validate(s, broken) == nil {
					t.Errorf("%s is valid, %v", broken, err)
				}
			}
			delete(members, name)
			if broken, err := json.Marshal(members); err != nil || validate(s, broken) == nil {
				t.Errorf("%s is valid, %v", broken, err)
			}
			members[name] = was
		}
	}
}

// object is what these tests look at of a JSON Schema.
type object struct {
	Properties map[string]struct {
		object
		Type any
	}
	Required []string
}

// inAvroAlone are the fields by which Avro tells the types that JSON shows.
var inAvroAlone = []string{"value_type", "previous_type"}

// The two schemas tell of the same fields, in the same order and of types that
// mean the same.
func TestSchemasAreInStep(t *testing.T) {
	for file, text := range map[string]string{"key.schema.json": KeyAvro, "value.schema.json": ValueAvro} {
		data, err := os.ReadFile(file)
		check(t, err)
		var o object
		check(t, json.Unmarshal(data, &o))
		record, ok := hamba.MustParse(text).(*hamba.RecordSchema)
		if !ok {
			t.Fatal("no record")
		}
		inStep(t, file, record, o)
		// Members stand in the order in which they are written.
		last := -1
		for _, name := range o.Required {
			at := strings.Index(string(data), `"`+name+`": {`)
			if at < last {
				t.Errorf("%s: %s is out of order", file, name)
			}
			last = at
		}
	}
}

func inStep(t *testing.T, file string, record *hamba.RecordSchema, o object) {
	t.Helper()
	var names []string
	for _, f := range record.Fields() {
		if slices.Contains(inAvroAlone, f.Name()) {
			continue
		}
		p, ok := o.Properties[f.Name()]
		if !ok {
			t.Errorf("%s lacks %s", file, f.Name())
			continue
		}
		if f.Name() != "index" { // JSON leaves it out, Avro says null
			names = append(names, f.Name())
		}
		if inner, ok := f.Type().(*hamba.RecordSchema); ok {
			inStep(t, file+", "+f.Name(), inner, p.object)
			continue
		}
		if got, want := typesOf(p.Type), jsonTypes(f); !slices.Equal(got, want) {
			t.Errorf("%s: %s is %v, and in Avro %v", file, f.Name(), got, want)
		}
	}
	if !slices.Equal(names, o.Required) {
		t.Errorf("%s requires %v, and Avro has %v", file, o.Required, names)
	}
	if extra := len(o.Properties) - len(names); extra > 1 || extra == 1 && o.Properties["index"].Type == nil {
		t.Errorf("%s has members that Avro lacks", file)
	}
}

// typesOf returns the types of a property, sorted.
func typesOf(v any) (types []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			if name, ok := one.(string); ok {
				types = append(types, name)
			}
		}
	}
	slices.Sort(types)
	return types
}

// jsonTypes returns the types that a field has in JSON, sorted.
func jsonTypes(f *hamba.Field) []string {
	if f.Name() == "value" || f.Name() == "previous" {
		types := []string{"array", "boolean", "number", "object", "string"}
		if f.Name() == "previous" {
			types = append(types, "null")
		}
		slices.Sort(types)
		return types
	}
	if f.Name() == "seen_at" {
		return []string{"string"}
	}
	if f.Name() == "index" {
		return []string{"integer"}
	}
	inJSON := map[hamba.Type]string{hamba.String: "string", hamba.Long: "integer", hamba.Int: "integer", hamba.Null: "null"}
	if union, ok := f.Type().(*hamba.UnionSchema); ok {
		var types []string
		for _, one := range union.Types() {
			types = append(types, inJSON[one.Type()])
		}
		slices.Sort(types)
		return types
	}
	return []string{inJSON[f.Type().Type()]}
}

// The golden file is valid too.
func TestGoldenChangesAreValid(t *testing.T) {
	key, value := compiled(t, "key.schema.json"), compiled(t, "value.schema.json")
	for _, c := range goldenChanges() {
		check(t, validate(key, AppendKey(nil, c.key)))
		check(t, validate(value, AppendValue(nil, c.key, c.e, trait.ChangeID("traitstream", c.key, c.e))))
	}
}
