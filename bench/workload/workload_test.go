package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

func small(change func(*Params)) Params {
	p := Default()
	p.Events, p.Users, p.Flags = 20_000, 300, 4
	if change != nil {
		change(&p)
	}
	return p
}

func all(p Params) (events []Event, d Digest) {
	g := NewGenerator(p)
	for e, ok := g.Next(); ok; e, ok = g.Next() {
		events = append(events, e)
	}
	return events, g.Digest()
}

func TestSameParametersSameEvents(t *testing.T) {
	a, da := all(small(nil))
	b, db := all(small(nil))
	if !slices.Equal(a, b) || da != db {
		t.Error("two generators of the same parameters differ")
	}
	if _, other := all(small(func(p *Params) { p.Seed++ })); other.Equal(da) {
		t.Error("another seed makes the same input")
	}
}

// TestShares counts what the parameters ask for.
func TestShares(t *testing.T) {
	p := small(func(p *Params) { p.Warm = 10_000 })
	events, _ := all(p)
	seen, repeated, late := map[uint32]bool{}, 0, 0
	at := map[Event]bool{}
	for i, e := range events {
		if int64(i) >= p.Warm && !seen[e.Key] {
			t.Fatalf("event %d brings a key that was not seen before the steady half", i)
		}
		seen[e.Key] = true
		once := Event{Key: e.Key, Treatment: e.Treatment, SeenAt: e.SeenAt}
		if at[once] {
			repeated++
		}
		at[once] = true
		if e.SeenAt > e.Sent || e.Sent-e.SeenAt > lateness+recent {
			t.Fatalf("event %d was seen at %d and sent at %d", i, e.SeenAt, e.Sent)
		}
		if e.Sent != e.SeenAt {
			late++
		}
	}
	if repeated < 100 || repeated > 300 || late < 600 || late > 1100 {
		t.Errorf("%d repeated, %d late or repeated of %d", repeated, late, len(events))
	}
}

func TestSweepVisitsEachKeyOnce(t *testing.T) {
	events, d := all(small(func(p *Params) { p.Skew, p.Sweep, p.Duplicates, p.Late, p.Events, p.Flips = 0, true, 0, 0, 1300, 1 }))
	for i, e := range events[:1200] {
		if e.Key != uint32(i) {
			t.Fatalf("event %d is of key %d", i, e.Key)
		}
	}
	if d.Keys != 1200 || d.Outputs != 1300 {
		t.Errorf("%+v, want 1200 keys and 1300 outputs", d)
	}
}

// payload is what both shapes tell.
type payload struct {
	UserID, Key string
	Timestamp   time.Time
	Time        int64
	Split       string
	Treatment   string
	Properties  struct{ Split, Treatment, Key string }
}

// TestPayloads reads payloads back, merges them as the contract says, and holds
// the outputs against the digest.
func TestPayloads(t *testing.T) {
	for _, shape := range []Shape{Segment, Webhook} {
		p := small(func(p *Params) { p.Shape = shape })
		events, want := all(p)
		type register struct {
			at        int64
			treatment string
		}
		last := map[string]register{}
		reading := p.NewReading()
		for _, e := range events {
			var m payload
			text := p.Append(nil, e)
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if shape == Segment {
				m.Key, m.Split, m.Treatment, m.Time = m.UserID, m.Properties.Split, m.Properties.Treatment, m.Timestamp.UnixMilli()
			}
			if m.Time != Epoch.UnixMilli()+int64(e.SeenAt) || m.Key != p.User(e.Key) {
				t.Fatalf("%s is not event %+v", text, e)
			}
			name := m.Key + m.Split
			before, seen := last[name]
			if seen && (m.Time < before.at || m.Time == before.at && m.Treatment <= before.treatment) {
				continue
			}
			last[name] = register{m.Time, m.Treatment}
			if !seen || before.treatment != m.Treatment {
				key := fmt.Sprintf(`{"identity":"user","id":%q,"trait":%q}`, m.Key, m.Split)
				if err := reading.Take([]byte(key), fmt.Appendf(nil, `{"value":%q}`, m.Treatment)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := reading.Digest(); !want.Equal(got) {
			t.Errorf("%s: %+v, want %+v", shape, got, want)
		}
	}
}

// TestCause reads back of which event an output came. Java leaves out the
// milliseconds of a whole second.
func TestCause(t *testing.T) {
	p := small(nil)
	key := []byte(`{"identity":"user","id":"user-0000007","trait":"flag_02"}`)
	for text, at := range map[string]uint32{"2026-03-02T10:01:00.123Z": 60_123, "2026-03-02T10:01:00Z": 60_000} {
		got, err := p.Cause(key, []byte(`{"value":"v2","previous":null,"seen_at":"`+text+`"}`))
		if want := (Event{Key: 7*4 + 2, Treatment: 2, SeenAt: at}); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, bad := range []string{`{"value":"v2"}`, `{"value":"v2","seen_at":"2026-03-02T09:00:00Z"}`, `{"seen_at":"2026-03-02T10:01:00Z"}`} {
		if _, err := p.Cause(key, []byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// TestDigestTellsDifferences changes an output in the ways that a contestant may.
func TestDigestTellsDifferences(t *testing.T) {
	p := small(nil)
	p.Flags = 1
	change := func(user int, value string) [2]string {
		return [2]string{fmt.Sprintf(`{"id":"user-%07d","trait":"flag_00"}`, user), `{"value":"` + value + `"}`}
	}
	digest := func(changes ...[2]string) Digest {
		r := p.NewReading()
		for _, c := range changes {
			if err := r.Take([]byte(c[0]), []byte(c[1])); err != nil {
				t.Fatal(err)
			}
		}
		d := r.Digest()
		d.Ordered = true
		return d
	}
	want := digest(change(1, "on"), change(2, "off"), change(1, "off"))
	if !want.Equal(digest(change(2, "off"), change(1, "on"), change(1, "off"))) {
		t.Error("the order of keys counts")
	}
	for name, got := range map[string]Digest{
		"one is missing":  digest(change(2, "off"), change(1, "off")),
		"one comes twice": digest(change(1, "on"), change(1, "on"), change(2, "off"), change(1, "off")),
		"the order":       digest(change(1, "off"), change(2, "off"), change(1, "on")),
		"another value":   digest(change(1, "v2"), change(2, "off"), change(1, "off")),
	} {
		if want.Equal(got) {
			t.Errorf("%s: not told", name)
		}
	}
	for _, bad := range [][2]string{{"{}", "{}"}, change(1, "x"), {change(1, "on")[0], "{}"}, change(9_999_999, "on")} {
		if err := p.NewReading().Take([]byte(bad[0]), []byte(bad[1])); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

func TestPresetsAreGood(t *testing.T) {
	for _, p := range Presets() {
		if err := p.Check(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if err := p.Scaled(0.001).Check(); err != nil {
			t.Errorf("%s, scaled: %v", p.Name, err)
		}
	}
}
