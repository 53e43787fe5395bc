package schemas

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"traitstream/impression"
	"traitstream/trait"
)

// bytesOrNil draws bytes, among them none and nil.
func bytesOrNil() *rapid.Generator[[]byte] {
	return rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 20))
}

// utf8Text draws text that often needs escapes.
func utf8Text(t *rapid.T, label string) []byte {
	return []byte(rapid.OneOf(rapid.String(), rapid.StringMatching("[a-z\"\\\\\x00-\x1f\x7fé]{0,8}")).Draw(t, label))
}

func keys() *rapid.Generator[trait.Key] {
	return rapid.Custom(func(t *rapid.T) trait.Key {
		return trait.Key{
			Identity: rapid.SampledFrom([]impression.Identity{impression.User, impression.Anonymous}).Draw(t, "identity"),
			User:     utf8Text(t, "user"),
			Trait:    utf8Text(t, "trait"),
		}
	})
}

// records draws any record there may be, and many that can't be.
func records() *rapid.Generator[trait.Record] {
	return rapid.Custom(func(t *rapid.T) trait.Record {
		var r trait.Record
		r.Seen = trait.Register{
			SeenAt:    rapid.Int64().Draw(t, "seen at"),
			Version:   rapid.Int64().Draw(t, "version"),
			Treatment: bytesOrNil().Draw(t, "treatment"),
			Value:     bytesOrNil().Draw(t, "value"),
		}
		if rapid.Bool().Draw(t, "value is the treatment") {
			r.Seen.Value = trait.AppendJSONString(nil, r.Seen.Treatment)
		}
		if rapid.Bool().Draw(t, "sent") {
			r.Emitted = emission(t, &r.Seen)
		}
		return r
	})
}

func emission(t *rapid.T, seen *trait.Register) trait.Emission {
	e := trait.Emission{
		Sent:       true,
		Value:      bytesOrNil().Draw(t, "emitted"),
		Previous:   bytesOrNil().Draw(t, "previous"),
		SeenAt:     rapid.Int64().Draw(t, "emission seen at"),
		Version:    rapid.Int64().Draw(t, "emission version"),
		Generation: rapid.Uint32().Draw(t, "generation"),
		Facts: trait.Facts{
			Flag:        bytesOrNil().Draw(t, "flag"),
			Environment: bytesOrNil().Draw(t, "environment"),
			Label:       bytesOrNil().Draw(t, "label"),
			Definition:  rapid.String().Draw(t, "definition"),
			Place: trait.Place{
				Topic:     rapid.String().Draw(t, "topic"),
				Partition: rapid.Int32().Draw(t, "partition"),
				Offset:    rapid.Int64().Draw(t, "offset"),
				Index:     rapid.Int32().Draw(t, "index"),
				Timestamp: rapid.Int64().Draw(t, "timestamp"),
			},
		},
	}
	if rapid.Bool().Draw(t, "emitted is seen") {
		e.Value = seen.Value
	}
	if rapid.Bool().Draw(t, "removal") {
		e.Reason = rapid.SampledFrom([]string{"", "not_served"}).Draw(t, "reason")
		copy(e.Removes[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "removes"))
	}
	return e
}

// example is a record as it comes from a plain impression.
func example() (trait.Key, trait.Record) {
	k := trait.Key{Identity: impression.User, User: []byte("user-1042"), Trait: []byte("back_end_roll_algorithm")}
	return k, trait.Record{
		Seen: trait.Register{SeenAt: 1772446562000, Version: 1665436973467, Treatment: []byte("on"), Value: []byte(`"on"`)},
		Emitted: trait.Emission{
			Sent: true, Value: []byte(`"on"`), Previous: []byte(`"off"`),
			SeenAt: 1772446530123, Version: 1665436973467, Generation: 1,
			Facts: trait.Facts{
				Flag: []byte("back_end_roll_algorithm"), Environment: []byte("Production"), Label: []byte("default rule"),
				Definition: "{split}",
				Place:      trait.Place{Topic: "impressions", Partition: 3, Offset: 42, Index: -1, Timestamp: 1772446800000},
			},
		},
	}
}

// cleared is the example after an impression that was not served, under clear.
func cleared() (trait.Key, trait.Record) {
	k, r := example()
	in := trait.Register{SeenAt: 1772446600000, Treatment: []byte("control")}
	facts := trait.Facts{
		Flag: []byte("back_end_roll_algorithm"), Label: []byte("not ready"), Definition: "{split}",
		Place: trait.Place{Topic: "impressions", Partition: 3, Offset: 43, Index: 7, Timestamp: -1},
	}
	r.Merge("traitstream", k, in, facts, 1)
	return k, r
}

func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
