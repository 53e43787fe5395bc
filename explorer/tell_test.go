package explorer

import (
	"encoding/json"
	"testing"
	"time"

	"traitstream/state"
	"traitstream/trait"
)

// What a task knows is told in the words of the traits topic.
func TestTell(t *testing.T) {
	teller := options(t, nil).Teller
	teller.Origin.Task = 1
	const facts = `"split":"f","environment":"Production","label":null,"flag_version":7,"definition":"{split}","generation":2,` +
		`"change_id":"c53c0d69538e6a0e838cb528e58b5c40","changed_at":"2026-03-02T10:20:00.000Z","change_timestamp":"2026-03-02T10:20:01.000Z",` +
		`"reason":null,"source":{"topic":"impressions","partition":3,"offset":42,"index":5}`
	const origin = `,"origin":{"kind":"owner","task":1,"instance":"here"}}`
	const who, nothing = `{"identity":"user","id":"ann","trait":"f","state":`, `"split":null,"environment":null,"label":null,"flag_version":null,"definition":null,"generation":null`
	expiring := teller
	expiring.Traits = set(t, trait.Definition{Name: name(t, "{split}"), ExpireAfter: time.Minute})
	removed := known()
	removed.Traits[0].Record = trait.Record{
		Seen: trait.Register{SeenAt: 5, Treatment: []byte("control")},
		Emitted: trait.Emission{
			Sent: true, Previous: []byte(`1`), SeenAt: 5, Reason: "not_served", Facts: trait.Facts{Place: trait.Place{Timestamp: -1}},
		},
	}
	quiet := known()
	quiet.Traits[0].Record.Seen.Value = []byte(`"v2"`)
	late := known()
	late.Clock = 1_772_446_830_123 + 60_000
	for what, c := range map[string]struct {
		teller Teller
		known  *state.Known
		want   string
	}{
		"a value": {teller, known(), who + `"set","value":"on","previous":"off","unsent":null,"seen_at":"2026-03-02T10:20:30.123Z",` +
			facts + `,"expires_at":null,"forgotten":null` + origin},
		"one that a quiet replay has seen": {teller, quiet, who + `"unsent","value":"on","previous":"off","unsent":"v2","seen_at":"2026-03-02T10:20:30.123Z",` +
			facts + `,"expires_at":null,"forgotten":null` + origin},
		"one that expires": {expiring, known(), who + `"set","value":"on","previous":"off","unsent":null,"seen_at":"2026-03-02T10:20:30.123Z",` +
			facts + `,"expires_at":"2026-03-02T10:21:30.123Z","forgotten":null` + origin},
		"one that has expired": {expiring, late, who + `"expired","value":"on","previous":"off","unsent":null,"seen_at":"2026-03-02T10:20:30.123Z",` +
			facts + `,"expires_at":"2026-03-02T10:21:30.123Z","forgotten":null` + origin},
		"one that came back": {teller, marked(known()), who + `"set","value":"on","previous":"off","unsent":null,"seen_at":"2026-03-02T10:20:30.123Z",` +
			facts + `,"expires_at":null,"forgotten":{"at":"1970-01-01T00:00:01.500Z","until":"1970-01-01T00:00:02.000Z"}` + origin},
		"one that is not served": {teller, removed, who + `"not_served","value":null,"previous":1,"unsent":null,"seen_at":"1970-01-01T00:00:00.005Z",` +
			nothing[:len(nothing)-4] + `0,"change_id":"c81821caadf1600c4b20a2d833b9cae9","changed_at":"1970-01-01T00:00:00.005Z","change_timestamp":null,` +
			`"reason":"not_served","source":null,"expires_at":null,"forgotten":null` + origin},
		"nothing": {teller, &state.Known{}, who + `"unknown","value":null,"previous":null,"unsent":null,"seen_at":null,` +
			nothing + `,"change_id":null,"changed_at":null,"change_timestamp":null,"reason":null,"source":null,"expires_at":null,"forgotten":null` + origin},
		"a forgotten one": {teller, marked(&state.Known{}), who + `"forgotten","value":null,"previous":null,"unsent":null,"seen_at":null,` +
			nothing + `,"change_id":null,"changed_at":null,"change_timestamp":null,"reason":null,"source":null,"expires_at":null,` +
			`"forgotten":{"at":"1970-01-01T00:00:01.500Z","until":"1970-01-01T00:00:02.000Z"}` + origin},
	} {
		got, err := json.Marshal(c.teller.Trait(ann, "f", c.known))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, c.want)
		}
		var back Trait
		if err := json.Unmarshal(got, &back); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if again, err := json.Marshal(&back); err != nil || string(again) != c.want {
			t.Errorf("%s, read and written: %s, %v", what, again, err)
		}
	}
}

func name(t *testing.T, text string) trait.Name {
	t.Helper()
	n, err := trait.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A page tells where the next one begins.
func TestTellPages(t *testing.T) {
	teller := options(t, nil).Teller
	k := known()
	if u := teller.User(ann, k); u.Next != nil || !u.Known() {
		t.Errorf("%+v", u)
	}
	k.More = true
	if u := teller.User(ann, k); u.Next == nil || *u.Next != "f" {
		t.Errorf("%+v", u)
	}
	if u := teller.User(ann, &state.Known{}); u.Known() {
		t.Errorf("%+v", u)
	}
	if u := teller.User(ann, marked(&state.Known{})); !u.Known() {
		t.Errorf("%+v", u)
	}
}
