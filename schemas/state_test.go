package schemas

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"traitstream/impression"
	"traitstream/trait"
)

func TestStateKeyRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := keys().Draw(t, "key")
		got, err := DecodeStateKey(AppendStateKey(nil, k))
		if err != nil || !sameKey(got, k) {
			t.Fatalf("%+v came back as %+v, %v", k, got, err)
		}
	})
}

// State keys sort as (identity, user, trait) do, and the keys of one user never
// lie among another's.
func TestStateKeysKeepOrder(t *testing.T) {
	short := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 'a', 0xfe, 0xff}), 0, 4)
	key := rapid.Custom(func(t *rapid.T) trait.Key {
		identity := rapid.SampledFrom([]impression.Identity{impression.User, impression.Anonymous}).Draw(t, "identity")
		return trait.Key{Identity: identity, User: short.Draw(t, "user"), Trait: short.Draw(t, "trait")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := key.Draw(t, "a"), key.Draw(t, "b")
		want := bytes.Compare([]byte{byte(a.Identity)}, []byte{byte(b.Identity)})
		if want == 0 {
			want = bytes.Compare(a.User, b.User)
		}
		sameUser := want == 0
		if want == 0 {
			want = bytes.Compare(a.Trait, b.Trait)
		}
		x, y := AppendStateKey(nil, a), AppendStateKey(nil, b)
		if bytes.Compare(x, y) != want {
			t.Fatalf("%x against %x: want %d", x, y, want)
		}
		prefix := AppendStateKey(nil, trait.Key{Identity: a.Identity, User: a.User})
		if bytes.HasPrefix(y, prefix) != sameUser {
			t.Fatalf("%x has the prefix %x: want %v", y, prefix, sameUser)
		}
	})
}

func TestStateKeyErrors(t *testing.T) {
	for _, bad := range []string{"", "\x01", "\x01user", "\x01user\x00", "\x01user\x00\x02t", "\x00user\x00\x01t", "\x03user\x00\x01t", "\x01a\x00\xff"} {
		if k, err := DecodeStateKey([]byte(bad)); err == nil {
			t.Errorf("%q is taken for %+v", bad, k)
		}
	}
}

func FuzzDecodeStateKey(f *testing.F) {
	f.Add([]byte("\x01user\x00\xff1\x00\x01flag"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := DecodeStateKey(b)
		if err == nil && !bytes.Equal(AppendStateKey(nil, k), b) {
			t.Fatalf("%x decodes to %+v, which is another key", b, k)
		}
	})
}

func TestRecordRoundTrips(t *testing.T) {
	var got trait.Record // used again, as a reader does
	rapid.Check(t, func(t *rapid.T) {
		want := records().Draw(t, "record")
		b := AppendRecord(nil, &want)
		if err := DecodeRecord(b, &got); err != nil || !sameRecord(&got, &want) {
			t.Fatalf("%+v\ncame back as\n%+v, %v", want, got, err)
		}
		if err := DecodeRecord(append(b, 0), &got); err == nil {
			t.Fatal("a byte too many is no error")
		}
		if err := DecodeRecord(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")], &got); err == nil {
			t.Fatal("a record that was cut is no error")
		}
	})
}

func sameRecord(a, b *trait.Record) bool {
	return a.Seen.SeenAt == b.Seen.SeenAt && a.Seen.Version == b.Seen.Version &&
		sameBytes(a.Seen.Treatment, b.Seen.Treatment) && sameBytes(a.Seen.Value, b.Seen.Value) &&
		sameEmission(&a.Emitted, &b.Emitted)
}

func TestRecordErrors(t *testing.T) {
	_, plain := example()
	good := AppendRecord(nil, &plain)
	newer := append([]byte{2}, good[1:]...)
	r := plain
	err := DecodeRecord(newer, &r)
	var version *VersionError
	if !errors.As(err, &version) || version.Version != 2 || !strings.Contains(err.Error(), "newer release") ||
		!strings.Contains(err.Error(), "or something else wrote it") {
		t.Errorf("error %v, want one that tells of a newer release or something else", err)
	}
	// An emission of no content, up to the numbers after its texts.
	head := []byte{1, sent | seenIsEmitted, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	const tooLarge = "\x80\x80\x80\x80\x10" // 2^31 as a varint, 2^32 as an unsigned one
	check(t, DecodeRecord(append(head[:14:14], 0, 0, 0, 0, 0), &r))
	for what, bad := range map[string][]byte{
		"a partition beyond 32 bits":   append(head[:14:14], tooLarge+"\x00\x00\x00\x00"...),
		"an index beyond 32 bits":      append(head[:14:14], "\x00\x00"+tooLarge+"\x00\x00"...),
		"a generation beyond 32 bits":  append(head[:14:14], "\x00\x00\x00\x00"+tooLarge...),
		"version 0":                    append([]byte{0}, good[1:]...),
		"an unknown flag":              {1, 0x80, 0, 0, 0, 0},
		"a treatment in no value":      {1, treatmentInSeen, 0, 0, 0},
		"a treatment in a number":      {1, treatmentInSeen, 0, 0, 2, '1'},
		"a length beyond the end":      {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"a varint of more than 64 bit": {1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0},
	} {
		if err := DecodeRecord(bad, &r); err == nil || !sameRecord(&r, &trait.Record{}) {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
}

func TestDecodeRecordDoesNotAllocate(t *testing.T) {
	_, want := cleared()
	b := AppendRecord(nil, &want)
	var r trait.Record
	if n := testing.AllocsPerRun(100, func() { check(t, DecodeRecord(b, &r)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	_, plain := example()
	_, removed := cleared()
	f.Add(AppendRecord(nil, &plain))
	f.Add(AppendRecord(nil, &removed))
	f.Add(AppendRecord(nil, &trait.Record{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again trait.Record
		if DecodeRecord(b, &r) != nil {
			return
		}
		if err := DecodeRecord(AppendRecord(nil, &r), &again); err != nil || !sameRecord(&r, &again) {
			t.Fatalf("%+v came back as %+v, %v", r, again, err)
		}
	})
}
