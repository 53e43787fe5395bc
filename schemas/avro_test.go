package schemas

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	hamba "github.com/hamba/avro/v2"
	"pgregory.net/rapid"

	"traitstream/schemas/avro"
	"traitstream/trait"
)

// registered finds schemas by the place that they have.
func registered(texts ...string) avro.Lookup {
	return func(id avro.ID) (*avro.Schema, error) {
		if id.Number < 1 || int(id.Number) > len(texts) {
			return nil, &avro.UnknownError{ID: id, Why: "not there"}
		}
		return avro.Parse(texts[id.Number-1])
	}
}

func testAvro() *Avro { return NewAvro(1, 2, registered(KeyAvro, ValueAvro)) }

// changed draws an emission of a value as definitions make them.
func changed(t *rapid.T) trait.Emission {
	e := emission(t, &trait.Register{})
	json := rapid.OneOf(
		rapid.Custom(func(t *rapid.T) []byte { return trait.AppendJSONString(nil, utf8Text(t, "string")) }),
		rapid.SampledFrom([][]byte{[]byte("1.50"), []byte("-0"), []byte("1e400"), []byte("true"), []byte(`{"a":[1,"b\n<"]}`), []byte("[]"), []byte(`"1.50"`)}),
	)
	e.Value, e.Previous = json.Draw(t, "value"), nil
	if rapid.Bool().Draw(t, "there was one before") {
		e.Previous = json.Draw(t, "previous")
	}
	e.SeenAt = rapid.Int64Range(0, 253402300799999).Draw(t, "four-digit year")
	e.Facts.Flag = utf8Text(t, "flag")
	for _, fact := range []*[]byte{&e.Facts.Environment, &e.Facts.Label} {
		*fact = nil
		if rapid.Bool().Draw(t, "there") {
			*fact = utf8Text(t, "fact")
		}
	}
	e.Facts.Place.Index = max(e.Facts.Place.Index, -1)
	return e
}

// Whatever is written in Avro is read as what JSON would have been, to the byte,
// and the rest of the record is the same.
func TestAvroSaysWhatJSONSays(t *testing.T) {
	a := testAvro()
	w, plain := NewChangeWriter(a), NewChangeWriter(nil)
	rapid.Check(t, func(t *rapid.T) {
		k, e := keys().Draw(t, "key"), changed(t)
		if rapid.Bool().Draw(t, "a removal") {
			e.Value = nil
		}
		var id [16]byte
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		before := rapid.SliceOf(rapid.Byte()).Draw(t, "before")
		text, r := w.Append(bytes.Clone(before), k, &e, id)
		_, want := plain.Append(nil, k, &e, id)
		key, err := a.Key(r.Key)
		if err != nil || !bytes.Equal(key, want.Key) {
			t.Fatalf("the key %s came back as %s, %v", want.Key, key, err)
		}
		value, err := a.Value(r.Value)
		if err != nil || !sameBytes(value, want.Value) {
			t.Fatalf("the value %s came back as %s, %v", want.Value, value, err)
		}
		if !bytes.HasPrefix(text, before) || !sameBytes(r.ID, want.ID) || !sameBytes(r.Reason, want.Reason) {
			t.Fatalf("%q is not %q, or something before it has changed", r, want)
		}
		for _, part := range [][]byte{r.Key, r.Value, r.ID, r.Reason} {
			if cap(part) > len(part) {
				t.Fatalf("%q has room", part)
			}
		}
	})
}

// avroKey and avroValue are the schemas as a Go program would write them down.
type avroKey struct {
	Identity string `avro:"identity"`
	ID       string `avro:"id"`
	Trait    string `avro:"trait"`
}

// The library's own encoder comes to the same bytes by the schema.
func TestAvroIsWhatTheSchemaSays(t *testing.T) {
	w := NewChangeWriter(testAvro())
	key, value := hamba.MustParse(KeyAvro), hamba.MustParse(ValueAvro)
	rapid.Check(t, func(t *rapid.T) {
		k, e := keys().Draw(t, "key"), changed(t)
		_, r := w.Append(nil, k, &e, [16]byte{1})
		want, err := hamba.Marshal(key, avroKey{k.Identity.String(), string(k.User), string(k.Trait)})
		if err != nil || !bytes.Equal(r.Key, append([]byte{0, 0, 0, 0, 1}, want...)) {
			t.Fatalf("the key is %x, want %x, %v", r.Key, want, err)
		}
		var fields map[string]any
		if err := hamba.Unmarshal(value, r.Value[5:], &fields); err != nil {
			t.Fatal(err)
		}
		again, err := hamba.Marshal(value, fields)
		if err != nil || !bytes.Equal(r.Value[5:], again) {
			t.Fatalf("the value is %x, want %x, %v", r.Value[5:], again, err)
		}
		if got := fmt.Sprint(fields["flag_version"]); got != fmt.Sprint(e.Version) {
			t.Fatalf("flag_version is %s", got)
		}
	})
}

// The bytes in Avro are those that subscribers know; only the ids are the
// registry's.
func TestGoldenAvro(t *testing.T) {
	var out bytes.Buffer
	w := NewChangeWriter(NewAvro(1, 2, nil))
	for _, c := range goldenChanges() {
		_, r := w.Append(nil, c.key, c.e, trait.ChangeID("traitstream", c.key, c.e))
		fmt.Fprintf(&out, "key\n%svalue\n%s", hex.Dump(r.Key), hex.Dump(r.Value))
	}
	golden(t, "changes.avro.golden", out.Bytes())
}

// A text that is registered anew gets another id, and with it every key would be
// another one. So this file never changes, not by a blank.
func TestKeySchemaIsFrozen(t *testing.T) {
	frozen, err := os.ReadFile("testdata/frozen-key.avsc") // which -rewrite leaves alone
	check(t, err)
	if string(frozen) != KeyAvro {
		t.Error("key.avsc has changed: put it back, whatever the change is good for")
	}
}

// history is where all versions of the value's schema are kept that were ever
// released, the present one last.
const history = "testdata/history"

func versions(t *testing.T) (texts []string) {
	t.Helper()
	files, err := os.ReadDir(history)
	check(t, err)
	for _, file := range files {
		text, err := os.ReadFile(history + "/" + file.Name())
		check(t, err)
		texts = append(texts, string(text))
	}
	if len(texts) == 0 || texts[len(texts)-1] != ValueAvro {
		t.Fatal("value.avsc is not the last one in " + history + ": keep each version that goes out, under the next number, and never change one")
	}
	return texts
}

// Every version reads what every other has written: that is FULL_TRANSITIVE.
func TestValueSchemaReadsAllVersions(t *testing.T) {
	texts := versions(t)
	k, r := example()
	_, rec := NewChangeWriter(testAvro()).Append(nil, k, &r.Emitted, [16]byte{1})
	for i, reader := range texts {
		for j, writer := range texts {
			if err := compatible(reader, writer); err != nil {
				t.Errorf("version %d can't read what %d has written: %v", i+1, j+1, err)
			}
		}
		if got := resolved(t, reader, ValueAvro, rec.Value[5:]); got["value"] != "on" || got["split"] != "back_end_roll_algorithm" {
			t.Errorf("version %d reads %v", i+1, got)
		}
	}
	// What older ones wrote, this one reads.
	files, err := os.ReadDir("testdata/written")
	check(t, err)
	if len(files) != len(texts) {
		t.Fatalf("%d versions, and records of %d: write one of the present version with -rewrite", len(texts), len(files))
	}
	for i := range texts {
		name := fmt.Sprintf("written/%d.hex", i+1)
		if i == len(texts)-1 {
			golden(t, name, []byte(hex.Dump(rec.Value[5:])))
		}
		body := unhex(t, "testdata/"+name)
		if got := resolved(t, ValueAvro, texts[i], body); got["value"] != "on" {
			t.Errorf("of version %d, %v is read", i+1, got)
		}
		if _, err := NewAvro(0, 0, registered(texts...)).Value(append(avro.AppendPrefix(nil, int32(i+1)), body...)); err != nil {
			t.Errorf("verify can't read version %d: %v", i+1, err)
		}
	}
}

func compatible(reader, writer string) error {
	return hamba.NewSchemaCompatibility().Compatible(hamba.MustParse(reader), hamba.MustParse(writer))
}

// resolved reads a body by another schema than its own, as Avro's libraries do.
func resolved(t *testing.T, reader, writer string, body []byte) (got map[string]any) {
	t.Helper()
	s, err := hamba.NewSchemaCompatibility().Resolve(hamba.MustParse(reader), hamba.MustParse(writer))
	check(t, err)
	check(t, hamba.Unmarshal(s, body, &got))
	return got
}

func unhex(t *testing.T, path string) (b []byte) {
	t.Helper()
	dump, err := os.ReadFile(path)
	check(t, err)
	for line := range strings.Lines(string(dump)) {
		part, err := hex.DecodeString(strings.ReplaceAll(line[10:58], " ", ""))
		check(t, err)
		b = append(b, part...)
	}
	return b
}

// The test above can fail: each of these changes breaks somebody.
func TestBreakingChangesAreSeen(t *testing.T) {
	for what, change := range map[string][2]string{
		"a field without default":      {`"fields": [`, `"fields": [{"name": "new", "type": "string"},`},
		"a field that is gone":         {`    {"name": "trait", "type": "string", "doc": "The trait's name."},` + "\n", ``},
		"a field of another type":      {`"flag_version", "type": "long"`, `"flag_version", "type": "string"`},
		"a narrower type":              {`"offset", "type": "long"`, `"offset", "type": "int"`},
		"a record under another name":  {`"TraitChange"`, `"Change"`},
		"a union that lost its string": {`"previous", "type": ["null", "string"]`, `"previous", "type": ["null", "long"]`},
	} {
		text := strings.Replace(ValueAvro, change[0], change[1], 1)
		if text == ValueAvro {
			t.Fatalf("%s: nothing was changed", what)
		}
		if compatible(ValueAvro, text) == nil && compatible(text, ValueAvro) == nil {
			t.Errorf("nobody minds %s", what)
		}
	}
	if text := strings.Replace(ValueAvro, `"fields": [`, `"fields": [{"name": "new", "type": "string", "default": ""},`, 1); compatible(ValueAvro, text) != nil || compatible(text, ValueAvro) != nil {
		t.Error("a field with a default is not taken")
	}
}

// A topic that holds keys of another kind is refused, with what to do about it.
func TestCheckKey(t *testing.T) {
	k, _ := example()
	odd := strings.Replace(KeyAvro, `"trait"`, `"name"`, 1)
	a := NewAvro(1, 2, registered(KeyAvro, ValueAvro, KeyAvro, odd))
	away := NewAvro(1, 2, func(avro.ID) (*avro.Schema, error) { return nil, avro.ErrAway })
	key := func(id int32) []byte { return NewAvro(id, 2, nil).AppendKey(nil, k) }
	for _, c := range []struct {
		by   *Avro
		key  []byte
		want string // nothing: it fits
	}{
		{nil, AppendKey(nil, k), ""},
		{a, key(1), ""},
		{nil, key(1), "output.format is json"},
		{a, AppendKey(nil, k), "output.format is avro"},
		{a, key(3), "gives the key's schema the id 1"},
		{a, key(4), "is not the key's schema"},
		{a, key(9), "not in this registry"},
		{a, []byte("user-1042"), ""},
		{nil, []byte("user-1042"), ""},
		{a, nil, ""},
		{away, key(1), avro.ErrAway.Error()},
	} {
		err := c.by.CheckKey(c.key)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.key, err, c.want)
		}
	}
}

// What stands in the topic and is not this program's is an error.
func TestAvroReadIsStrict(t *testing.T) {
	a := testAvro()
	k, r := example()
	_, rec := NewChangeWriter(a).Append(nil, k, &r.Emitted, [16]byte{1})
	for i := range rec.Value {
		if got, err := a.Value(rec.Value[:i]); err == nil {
			t.Fatalf("%d bytes of a value are read as %s", i, got)
		}
	}
	if _, err := a.Value(append(bytes.Clone(rec.Value), 0)); err == nil {
		t.Error("what stands behind a value is not minded")
	}
	if _, err := a.Value(rec.Key); err == nil {
		t.Error("a key is read as a value")
	}
	var unknown *avro.UnknownError
	if _, err := a.Value([]byte{0, 0, 0, 0, 9, 1}); !errors.As(err, &unknown) {
		t.Errorf("%v for a schema that is not there", err)
	}
	bad := NewAvro(1, 2, registered(KeyAvro, ValueAvro))
	e := r.Emitted
	e.Value = []byte(`{"a":1}`)
	_, rec = NewChangeWriter(bad).Append(nil, k, &e, [16]byte{1})
	if got, err := bad.Value(bytes.Replace(rec.Value, []byte(`{"a":1}`), []byte(`{"a":1!`), 1)); err == nil {
		t.Errorf("%s is read", got)
	}
}

// FuzzAvro reads any bytes as a change.
func FuzzAvro(f *testing.F) {
	a := testAvro()
	k, r := example()
	_, rec := NewChangeWriter(a).Append(nil, k, &r.Emitted, [16]byte{1})
	f.Add(rec.Key)
	f.Add(rec.Value)
	f.Fuzz(func(t *testing.T, b []byte) {
		if key, err := a.Key(b); err == nil && !json.Valid(key) {
			t.Fatalf("%s is no JSON", key)
		}
		if b == nil {
			return
		}
		value, err := a.Value(b)
		if err != nil {
			return
		}
		if _, err := DecodeValue(value); err != nil {
			t.Fatalf("%s: %v", value, err)
		}
	})
}
