package schemas

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"traitstream/impression"
	"traitstream/trait"
)

// The bytes of markers and clocks are those that later releases must read.
func TestGoldenTaskRecords(t *testing.T) {
	user := trait.Key{Identity: impression.User, User: []byte("user-1042")}
	one := user
	one.Trait = []byte("back_end_roll_algorithm")
	var text []byte
	for _, k := range []trait.Key{user, one} {
		text = fmt.Appendf(text, "%x %x\n", AppendMarkerKey(nil, MarkerKeyOf("traitstream", k)),
			AppendMarker(nil, Marker{Until: 1772446530123, At: 1772446530000}))
	}
	text = fmt.Appendf(text, "%x %x\n", ClockKey(), AppendClock(nil, 1772446530000))
	golden(t, "taskrecords.txt", text)
}

func TestTaskRecordsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := MarkerKeyOf("app", keys().Draw(t, "key"))
		m := Marker{Until: rapid.Int64().Draw(t, "until"), At: rapid.Int64().Draw(t, "at")}
		gotKey, ok := ParseMarkerKey(AppendMarkerKey(nil, key))
		got, err := DecodeMarker(AppendMarker(nil, m))
		if !ok || gotKey != key || err != nil || got != m {
			t.Fatalf("%+v %+v came back as %+v %+v, %v", key, m, gotKey, got, err)
		}
		if ms, err := DecodeClock(AppendClock(nil, m.Until)); err != nil || ms != m.Until {
			t.Fatalf("%d came back as %d, %v", m.Until, ms, err)
		}
	})
}

// Whoever they are, two users have two markers, and a user's trait has another one
// than the user; no marker lies among traits, nor tells who it is of.
func TestMarkerKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := keys().Draw(t, "a"), keys().Draw(t, "b")
		a.Trait, b.Trait = nil, nil
		one, other := AppendMarkerKey(nil, MarkerKeyOf("app", a)), AppendMarkerKey(nil, MarkerKeyOf("app", b))
		if bytes.Equal(one, other) != sameKey(a, b) {
			t.Fatalf("%+v and %+v have the markers %x and %x", a, b, one, other)
		}
		if bytes.Equal(one, AppendMarkerKey(nil, MarkerKeyOf("other", a))) {
			t.Fatal("the marker is the same for another app")
		}
		with := a
		with.Trait = []byte("t")
		if bytes.Equal(one, AppendMarkerKey(nil, MarkerKeyOf("app", with))) {
			t.Fatal("a trait has the marker of its user")
		}
		if IsTaskKey(AppendStateKey(nil, with)) || !IsTaskKey(one) {
			t.Fatal("markers and traits are taken for each other")
		}
		if len(a.User) > 8 && bytes.Contains(one, a.User) {
			t.Fatal("the marker tells who it is of")
		}
	})
}

func TestUserPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := keys().Draw(t, "key")
		if got := UserPart(AppendStateKey(nil, k)); !bytes.Equal(got, UserPrefix(nil, k.Identity, k.User)) {
			t.Fatalf("the part of %+v is %x", k, got)
		}
	})
	for _, bad := range [][]byte{nil, {1}, []byte("\x01user"), []byte("\x01user\x00"), []byte("\x01a\x00\xff\x00"), ClockKey()} {
		if got := UserPart(bad); got != nil {
			t.Errorf("%q has the part %x", bad, got)
		}
	}
}

func TestSeenAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := trait.Record{Seen: trait.Register{SeenAt: rapid.Int64().Draw(t, "seen")}}
		if got, ok := SeenAt(AppendRecord(nil, &r)); !ok || got != r.Seen.SeenAt {
			t.Fatalf("%d came back as %d", r.Seen.SeenAt, got)
		}
	})
	if _, ok := SeenAt([]byte{recordVersion + 1, 0, 0}); ok {
		t.Error("a record of another release is read")
	}
}

func TestNewerTaskRecords(t *testing.T) {
	var version *VersionError
	if _, err := DecodeMarker([]byte{taskRecordVersion + 1}); !errors.As(err, &version) {
		t.Errorf("the error is %v", err)
	}
	if err := CheckTaskRecord([]byte{FirstTaskKey + 9}, []byte{1, 0}); err == nil {
		t.Error("an unknown key is taken")
	}
}

func FuzzTaskRecord(f *testing.F) {
	f.Add(ClockKey(), AppendClock(nil, 1))
	f.Add(AppendJobKey(nil, "j"), AppendJobProgress(nil, &JobProgress{Next: []int64{1}}))
	f.Add(DefinitionsKey(), AppendTaskDefinitions(nil, &TaskDefinitions{Generation: 1, Phase: Shadowing, Next: 2}))
	f.Add(AppendMarkerKey(nil, MarkerKey{}), AppendMarker(nil, Marker{Until: 2, At: 1}))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		_ = UserPart(key)
		_, _ = SeenAt(value)
		if CheckTaskRecord(key, value) != nil {
			return
		}
		if m, err := DecodeMarker(value); err == nil {
			if again, err := DecodeMarker(AppendMarker(nil, m)); err != nil || again != m {
				t.Errorf("%s came back as %+v, %v", hex.EncodeToString(value), again, err)
			}
		}
	})
}

func TestCommandsRoundTrip(t *testing.T) {
	for _, c := range []Command{
		{Kind: Tick, Time: 0}, {Kind: Tick, Time: 1772446530123},
		{Kind: Forget, Identity: impression.User, Time: -1},
		{Kind: Forget, Identity: impression.Anonymous, Trait: []byte("t"), Time: -1},
		{Kind: Define, Generation: 1, Time: -1}, {Kind: Switch, Generation: 1 << 31, Time: -1}, {Kind: Undefine, Generation: 1<<32 - 1, Time: -1},
	} {
		got, err := ParseCommand(append([]Header{{Key: headerKind, Value: []byte("of the source")}}, c.Headers()...))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c) {
			t.Errorf("%+v came back as %+v, %v", c, got, err)
		}
		var newer *KindError
		if _, err := ParseInboxHeaders(c.Headers()); !errors.As(err, &newer) {
			t.Errorf("%+v is taken for an impression: %v", c, err)
		}
	}
}

func TestCommandErrors(t *testing.T) {
	kind := func(k string) Header { return Header{Key: headerKind, Value: []byte(k)} }
	for _, bad := range [][]Header{
		nil, {kind("tick")}, {kind("tick"), {Key: headerTime, Value: []byte("-1")}}, {kind("tick"), {Key: headerTime, Value: []byte("x")}},
		{kind("forget"), {Key: headerIdentity, Value: []byte("user")}, {Key: headerTrait}},
		{kind("define")}, {kind("switch"), {Key: headerGeneration, Value: []byte("4294967296")}}, {kind("undefine"), {Key: headerGeneration, Value: []byte("x")}},
		{kind("forget")}, {kind("forget"), {Key: headerIdentity, Value: []byte("somebody")}},
	} {
		if c, err := ParseCommand(bad); err == nil {
			t.Errorf("%v is taken for %+v", bad, c)
		}
	}
	var newer *KindError
	if _, err := ParseCommand([]Header{kind("later")}); !errors.As(err, &newer) || newer.Kind != "later" {
		t.Errorf("the error is %v", err)
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add("forget", headerIdentity, "user")
	f.Add("tick", headerTime, "17")
	f.Add("define", headerGeneration, "3")
	f.Fuzz(func(t *testing.T, kind, name, value string) {
		c, err := ParseCommand([]Header{text(headerKind, kind), text(name, value)})
		if err != nil {
			return
		}
		if again, err := ParseCommand(c.Headers()); err != nil || fmt.Sprint(again) != fmt.Sprint(c) {
			t.Errorf("%+v came back as %+v, %v", c, again, err)
		}
	})
}
