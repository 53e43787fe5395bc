package trait

import (
	"fmt"
	"testing"

	"traitstream/impression"
)

// The ids of a release are those of the next: subscribers use them to tell what
// they had already.
func TestChangeIDStaysTheSame(t *testing.T) {
	set := Emission{
		Sent: true, Value: []byte(`"on"`), Generation: 3,
		Facts: Facts{Place: Place{Topic: "impressions", Partition: 3, Offset: 42, Index: -1}},
	}
	removal := Emission{Sent: true, Reason: "not_served", Removes: ChangeID("traitstream", testKey, &set)}
	for _, test := range []struct {
		e    *Emission
		want string
	}{
		{&set, goldenSetID},
		{&removal, goldenRemovalID},
	} {
		if got := fmt.Sprintf("%x", ChangeID("traitstream", testKey, test.e)); got != test.want {
			t.Errorf("id %s, want %s", got, test.want)
		}
	}
}

// Computed apart from this package, from what ChangeID's comment says.
const (
	goldenSetID     = "31daed1353ea2742575b82131c2dd4f4"
	goldenRemovalID = "833b2c5615208aa81db0de10b92e60ac"
)

// An id depends on each part of its cause, and on nothing else.
func TestChangeIDDependsOnItsCauseAlone(t *testing.T) {
	base := func() (string, Key, Emission) {
		return "app", testKey, Emission{
			Sent: true, Value: []byte("1"), Generation: 1, SeenAt: 5,
			Facts: Facts{Place: Place{Topic: "t", Partition: 1, Offset: 2, Index: 3, Timestamp: 4}},
		}
	}
	type change func(app *string, k *Key, e *Emission)
	ids := map[[16]byte]int{}
	for i, c := range []change{
		func(*string, *Key, *Emission) {},
		func(app *string, _ *Key, _ *Emission) { *app = "ap" },
		func(app *string, k *Key, _ *Emission) { *app, k.User = "appu", []byte("ser-1") },
		func(_ *string, k *Key, _ *Emission) { k.Identity = impression.Anonymous },
		func(_ *string, k *Key, _ *Emission) { k.User, k.Trait = []byte("user-"), []byte("1flag") },
		func(_ *string, _ *Key, e *Emission) { e.Facts.Place.Topic = "u" },
		func(_ *string, _ *Key, e *Emission) { e.Facts.Place.Partition = 2 },
		func(_ *string, _ *Key, e *Emission) { e.Facts.Place.Offset = 3 },
		func(_ *string, _ *Key, e *Emission) { e.Facts.Place.Index = -1 },
		func(_ *string, _ *Key, e *Emission) { e.Generation = 2 },
		func(_ *string, _ *Key, e *Emission) { e.Value = nil },
		func(_ *string, _ *Key, e *Emission) { e.Value, e.Reason = nil, "expired" },
		func(_ *string, _ *Key, e *Emission) { e.Value, e.Removes = nil, [16]byte{1} },
	} {
		app, k, e := base()
		c(&app, &k, &e)
		id := ChangeID(app, k, &e)
		if other, ok := ids[id]; ok {
			t.Errorf("changes %d and %d have one id", other, i)
		}
		ids[id] = i
	}
	app, k, e := base()
	want := ChangeID(app, k, &e)
	e.Value, e.Previous, e.SeenAt, e.Facts.Place.Timestamp = []byte("2"), []byte("1"), 6, 7
	if ChangeID(app, k, &e) != want {
		t.Error("the id depends on more than its cause")
	}
}
