package schemas

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"traitstream/trait"
)

// samePlain holds what is read of a value, or a key, without looking for names
// against what JSON's reader makes of it.
func samePlain(t rapid.TB, b []byte) (key, value bool) {
	t.Helper()
	k, key := plainKey(b)
	if want, err := decodeKey(b); key && (err != nil || !reflect.DeepEqual(k, want)) {
		t.Fatalf("key %q: %+v, want %+v, %v", b, k, want, err)
	}
	c, value := plainValue(b)
	if want, err := decodeValue(b); value && (err != nil || !reflect.DeepEqual(c, want)) {
		t.Fatalf("value %q:\ngot  %+v\nwant %+v, %v", b, c, want, err)
	}
	return key, value
}

func TestPlainReadsAsJSONDoes(t *testing.T) {
	read := 0
	rapid.Check(t, func(t *rapid.T) { read += drawPlain(t) })
	if read == 0 {
		t.Error("no value was read at once")
	}
}

// drawPlain draws a value as it mostly is and changes a byte of it.
func drawPlain(t *rapid.T) (read int) {
	text := rapid.StringMatching("[a-z é{}]{0,6}")
	optional := func(label string) []byte {
		return rapid.OneOf(rapid.Just([]byte(nil)), rapid.Map(text, func(s string) []byte { return []byte(s) })).Draw(t, label)
	}
	e := trait.Emission{
		Value: trait.AppendJSONString(nil, text.Draw(t, "value")), SeenAt: rapid.Int64Range(0, 1<<42).Draw(t, "seen at"), Version: rapid.Int64().Draw(t, "version"),
		Facts: trait.Facts{
			Flag: []byte(text.Draw(t, "flag")), Environment: optional("environment"), Label: optional("label"), Definition: text.Draw(t, "definition"),
			Place: trait.Place{Topic: text.Draw(t, "topic"), Partition: rapid.Int32().Draw(t, "partition"), Offset: rapid.Int64().Draw(t, "offset"), Index: rapid.Int32().Draw(t, "index")},
		},
	}
	if previous := optional("previous"); previous != nil {
		e.Previous = trait.AppendJSONString(nil, previous)
	}
	b := AppendValue(nil, trait.Key{Identity: 1, User: []byte(text.Draw(t, "user")), Trait: []byte(text.Draw(t, "trait"))}, &e, [16]byte{1, 2})
	if _, ok := samePlain(t, b); ok {
		read++
	}
	at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
	b[at] = rapid.SampledFrom([]byte("\"\\{}:,0-n \x00\xff")).Draw(t, "byte")
	samePlain(t, b)
	return read
}

// Whatever a record may hold is read alike.
func TestPlainReadsAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := records().Draw(t, "record")
		k := keys().Draw(t, "key")
		e := &r.Emitted
		for _, text := range []*[]byte{&e.Value, &e.Previous} {
			if *text != nil {
				*text = trait.AppendJSONString(nil, bytes.ToValidUTF8(*text, nil))
			}
		}
		for _, text := range []*[]byte{&e.Facts.Flag, &e.Facts.Environment, &e.Facts.Label} {
			if *text != nil {
				*text = bytes.ToValidUTF8(*text, nil)
			}
		}
		b := AppendValue(nil, k, e, [16]byte{1, 2})
		samePlain(t, b)
		samePlain(t, AppendKey(nil, k))
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		samePlain(t, append(append(bytes.Clone(b[:at]), rapid.Byte().Draw(t, "byte")), b[at+1:]...))
	})
}

func FuzzPlain(f *testing.F) {
	f.Add([]byte(`{"identity":"user","id":"u","trait":"t"}`))
	f.Add(AppendValue(nil, trait.Key{Identity: 1, User: []byte("u"), Trait: []byte("t")}, &trait.Emission{
		Value: []byte(`"on"`), SeenAt: 1772446530123, Version: 7,
		Facts: trait.Facts{Flag: []byte("f"), Definition: "{split}", Place: trait.Place{Topic: "in", Index: 2}},
	}, [16]byte{3}))
	f.Fuzz(func(t *testing.T, b []byte) { samePlain(t, b) })
}

func BenchmarkDecodeValue(b *testing.B) {
	value := AppendValue(nil, trait.Key{Identity: 1, User: []byte("user-0348887"), Trait: []byte("flag_17")}, &trait.Emission{
		Value: []byte(`"on"`), Previous: []byte(`"off"`), SeenAt: 1772446530123, Version: 1665436973467,
		Facts: trait.Facts{
			Flag: []byte("flag_17"), Environment: []byte("Production"), Label: []byte("default rule"), Definition: "{split}",
			Place: trait.Place{Topic: "impressions", Partition: 3, Offset: 123456, Index: -1},
		},
	}, [16]byte{3})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeValue(value); err != nil {
			b.Fatal(err)
		}
	}
}
