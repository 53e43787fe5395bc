package schemas

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"traitstream/trait"
)

func TestKeyRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := keys().Draw(t, "key")
		got, err := DecodeKey(AppendKey(nil, k))
		if err != nil || !sameKey(got, k) {
			t.Fatalf("%+v came back as %+v, %v", k, got, err)
		}
	})
}

func sameKey(a, b trait.Key) bool {
	return a.Identity == b.Identity && bytes.Equal(a.User, b.User) && bytes.Equal(a.Trait, b.Trait)
}

// What a value tells comes back; a second program reads it as JSON too.
func TestValueRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Change{Key: keys().Draw(t, "key"), Emission: emission(t, &trait.Register{})}
		e := &want.Emission
		e.Value = trait.AppendJSONString(nil, utf8Text(t, "value"))
		e.Previous = rapid.SampledFrom([][]byte{nil, []byte("1.50"), []byte(`{"a":[]}`), []byte("false")}).Draw(t, "previous json")
		e.SeenAt = rapid.Int64Range(0, 253402300799999).Draw(t, "four-digit year")
		e.Facts.Flag = utf8Text(t, "flag")
		for _, fact := range []*[]byte{&e.Facts.Environment, &e.Facts.Label} {
			*fact = nil
			if rapid.Bool().Draw(t, "there") {
				*fact = utf8Text(t, "fact")
			}
		}
		e.Facts.Place.Index = max(e.Facts.Place.Index, -1)
		copy(want.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		b := AppendValue(nil, want.Key, e, want.ID)

		// What a value does not tell.
		e.Generation, e.Facts.Place.Timestamp, e.Reason, e.Removes = 0, -1, "", [16]byte{}
		got, err := DecodeValue(b)
		if err != nil || !sameKey(got.Key, want.Key) || !sameEmission(&got.Emission, e) || got.ID != want.ID {
			t.Fatalf("%s\ncame back as %+v, %v", b, got, err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, b); err != nil || !bytes.Equal(compact.Bytes(), b) {
			t.Fatalf("%s\nhas blanks, or %v", b, err)
		}
	})
}

// A record has the parts that the functions for each of them write, wherever in a
// text it is, and none of them can grow into another.
func TestChangeIsTheSumOfItsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := keys().Draw(t, "key")
		e := emission(t, &trait.Register{})
		e.Value = rapid.SampledFrom([][]byte{nil, []byte("1.50")}).Draw(t, "value json")
		var id [16]byte
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		before := rapid.SliceOf(rapid.Byte()).Draw(t, "before")
		text, r := AppendChange(bytes.Clone(before), k, &e, id)
		var value []byte
		if e.Value != nil {
			value = AppendValue(nil, k, &e, id)
		}
		if !bytes.HasPrefix(text, before) || !bytes.Equal(r.Key, AppendKey(nil, k)) || !sameBytes(r.Value, value) ||
			string(r.ID) != hex.EncodeToString(id[:]) || e.Value == nil && string(r.Reason) != e.Reason {
			t.Fatalf("%q and %x became %q", before, id, r)
		}
		for _, part := range [][]byte{r.Key, r.Value, r.ID, r.Reason} {
			if cap(part) > len(part) {
				t.Fatalf("%q has room", part)
			}
		}
	})
}

func sameEmission(a, b *trait.Emission) bool {
	slicesEqual := sameBytes(a.Value, b.Value) && sameBytes(a.Previous, b.Previous) && sameBytes(a.Facts.Flag, b.Facts.Flag) &&
		sameBytes(a.Facts.Environment, b.Facts.Environment) && sameBytes(a.Facts.Label, b.Facts.Label)
	x, y := *a, *b
	for _, e := range []*trait.Emission{&x, &y} {
		e.Value, e.Previous, e.Facts.Flag, e.Facts.Environment, e.Facts.Label = nil, nil, nil, nil, nil
	}
	return slicesEqual && reflect.DeepEqual(x, y)
}

func TestDecodeIgnoresNewMembers(t *testing.T) {
	k, r := example()
	b := AppendValue(nil, k, &r.Emitted, [16]byte{1})
	b = append(b[:len(b)-1], `,"future":{"value":1}}`...)
	if _, err := DecodeValue(b); err != nil {
		t.Error(err)
	}
	if _, err := DecodeKey([]byte(`{"identity":"user","id":"u","trait":"t","future":1}`)); err != nil {
		t.Error(err)
	}
}

// Each member that a value has is missed where it is renamed, and each change
// of its form is an error.
func TestDecodeValueIsStrict(t *testing.T) {
	k, r := example()
	good := string(AppendValue(nil, k, &r.Emitted, [16]byte{1}))
	_, err := DecodeValue([]byte(good))
	check(t, err)
	for _, member := range []string{"identity", "id", "trait", "value", "previous", "seen_at", "split", "flag_version", "definition",
		"change_id", "source", "topic", "partition", "offset"} {
		bad := strings.Replace(good, `"`+member+`":`, `"x":`, 1)
		if _, err := DecodeValue([]byte(bad)); err == nil || bad == good {
			t.Errorf("no error without %s", member)
		}
	}
	for from, to := range map[string]string{
		`"user"`:                 `"account"`,
		`"value":"on"`:           `"value":null`,
		"30.123Z":                "30Z",
		`"flag_version":1`:       `"flag_version":1.5`,
		`"change_id":"01`:        `"change_id":"`,
		`"change_id":"0`:         `"change_id":"g`,
		`"partition":3`:          `"partition":4294967296`,
		`{"topic":"impressions"`: `{"topic":null`,
		`"split":"back`:          "\"split\":\"\xff",
		`"previous":"off"`:       `"previous":"off","previous":"on"`,
		`{"identity"`:            `[{"identity"`,
	} {
		bad := strings.Replace(good, from, to, 1)
		if _, err := DecodeValue([]byte(bad)); err == nil || bad == good {
			t.Errorf("no error for %s", bad)
		}
	}
}

func TestDecodeKeyIsStrict(t *testing.T) {
	for _, bad := range []string{
		``, `null`, `{}`, `[]`, `{"identity":"user","id":"u"}`, `{"identity":"user","id":null,"trait":"t"}`,
		`{"identity":"User","id":"u","trait":"t"}`, `{"identity":1,"id":"u","trait":"t"}`,
		`{"identity":"user","id":"u","trait":"t"} {}`, `{"identity":"user","id":"u","id":"v","trait":"t"}`,
	} {
		if k, err := DecodeKey([]byte(bad)); err == nil {
			t.Errorf("%s is taken for %+v", bad, k)
		}
	}
}

func FuzzDecodeKey(f *testing.F) {
	k, _ := example()
	f.Add(AppendKey(nil, k))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := DecodeKey(b)
		if err != nil {
			return
		}
		again, err := DecodeKey(AppendKey(nil, k))
		if err != nil || !sameKey(k, again) {
			t.Fatalf("%+v came back as %+v, %v", k, again, err)
		}
	})
}

func FuzzDecodeValue(f *testing.F) {
	k, r := example()
	f.Add(AppendValue(nil, k, &r.Emitted, [16]byte{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeValue(b)
		if err != nil {
			return
		}
		again, err := DecodeValue(AppendValue(nil, c.Key, &c.Emission, c.ID))
		if err != nil || !sameKey(c.Key, again.Key) || !sameEmission(&c.Emission, &again.Emission) || c.ID != again.ID {
			t.Fatalf("%+v came back as %+v, %v", c, again, err)
		}
	})
}
