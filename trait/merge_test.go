package trait

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"traitstream/impression"
)

// input is what a test merges: the register and its place.
type input struct {
	Register
	offset int64
}

// inputs draws registers out of few values, so that ties and repeats are common.
func inputs() *rapid.Generator[[]input] {
	one := rapid.Custom(func(t *rapid.T) input {
		in := input{Register: Register{
			SeenAt:    rapid.Int64Range(1, 4).Draw(t, "seen at"),
			Version:   rapid.Int64Range(0, 2).Draw(t, "version"),
			Treatment: []byte(rapid.SampledFrom([]string{"off", "on", "v2"}).Draw(t, "treatment")),
		}}
		switch rapid.IntRange(0, 3).Draw(t, "kind of value") {
		case 0: // none
		case 1:
			in.Value = []byte(rapid.SampledFrom([]string{"1", "true"}).Draw(t, "property"))
		default:
			in.Value = AppendJSONString(nil, in.Treatment)
		}
		return in
	})
	return rapid.Map(rapid.SliceOfN(one, 0, 12), func(all []input) []input {
		for i := range all {
			all[i].offset = int64(i)
		}
		return all
	})
}

var testKey = Key{Identity: impression.User, User: []byte("user-1"), Trait: []byte("flag")}

func merge(rec *Record, in input) Outcome {
	return rec.Merge("app", testKey, in.Register, Facts{Place: Place{Topic: "t", Offset: in.offset, Index: -1}}, 7)
}

// naive is the semantics in the plainest words: the last of the sorted inputs.
func naive(all []input) (last Register) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b input) int { return naiveOrder(a.Register, b.Register) })
	if len(all) > 0 {
		last = all[len(all)-1].Register
	}
	return last
}

func naiveOrder(a, b Register) int {
	if a.SeenAt != b.SeenAt {
		return int(a.SeenAt - b.SeenAt)
	}
	if a.Version != b.Version {
		return int(a.Version - b.Version)
	}
	if c := bytes.Compare(a.Treatment, b.Treatment); c != 0 {
		return c
	}
	if (a.Value == nil) != (b.Value == nil) {
		if a.Value == nil {
			return -1
		}
		return 1
	}
	return bytes.Compare(a.Value, b.Value)
}

// S1: any order and any repetition end in the same value, that of the last.
func TestS1MergeIsCommutativeAssociativeIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := inputs().Draw(t, "inputs")
		shuffled := rapid.Permutation(append(slices.Clone(all), all...)).Draw(t, "order")
		want := naive(all)
		for _, order := range [][]input{all, shuffled, append(slices.Clone(all), shuffled...)} {
			var rec Record
			for _, in := range order {
				merge(&rec, in)
			}
			if rec.Seen.Compare(want) != 0 || !sameValue(rec.Seen.Value, want.Value) {
				t.Fatalf("seen %+v, want %+v", rec.Seen, want)
			}
			if !sameValue(rec.Emitted.Value, want.Value) {
				t.Fatalf("emitted %q, want %q", rec.Emitted.Value, want.Value)
			}
		}
	})
}

func sameValue(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// S1: the result is that of merging the parts' winners, however it is split.
func TestS1MergeOfParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := inputs().Draw(t, "inputs")
		cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
		var rec Record
		for _, part := range [][]input{all[cut:], all[:cut]} {
			if len(part) > 0 {
				merge(&rec, input{Register: naive(part)})
			}
		}
		if rec.Seen.Compare(naive(all)) != 0 {
			t.Fatalf("seen %+v, want %+v", rec.Seen, naive(all))
		}
	})
}

// S3, S12: a change goes out when and only when the value differs from the last
// one emitted; the changes are a chain, and no id comes twice.
func TestS3ChangesAreAChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := inputs().Draw(t, "inputs")
		var rec Record
		var emitted []byte
		var last Register
		ids := map[[16]byte]bool{}
		for _, in := range all {
			before := ChangeID("app", testKey, &rec.Emitted)
			outcome := merge(&rec, in)
			want := naiveOutcome(in.Register, last, emitted)
			if outcome != want {
				t.Fatalf("merging %+v after %+v: %v, want %v", in, last, outcome, want)
			}
			if naiveOrder(in.Register, last) > 0 {
				last = in.Register
			}
			if outcome != Changed && outcome != Removed {
				continue
			}
			e := &rec.Emitted
			if !e.Sent || !sameValue(e.Previous, emitted) || !sameValue(e.Value, in.Value) || sameValue(e.Value, e.Previous) {
				t.Fatalf("after %q the emission is %+v", emitted, e)
			}
			if outcome == Removed && (e.Reason != "not_served" || e.Removes != before) {
				t.Fatalf("removal of %x: %+v", before, e)
			}
			if outcome == Changed && (e.Reason != "" || e.Removes != [16]byte{}) {
				t.Fatalf("a set has what only removals have: %+v", e)
			}
			id := ChangeID("app", testKey, e)
			if ids[id] {
				t.Fatalf("id %x comes twice", id)
			}
			ids[id] = true
			emitted = in.Value
		}
	})
}

func naiveOutcome(in, last Register, emitted []byte) Outcome {
	switch order := naiveOrder(in, last); {
	case order == 0:
		return Duplicate
	case order < 0:
		return Late
	case sameValue(in.Value, emitted):
		return Same
	case in.Value == nil:
		return Removed
	}
	return Changed
}

// S4: under Clear none wins over a value, an older impression does not bring it
// back, a newer one does.
func TestS4ClearRemovesAndStays(t *testing.T) {
	var rec Record
	steps := []struct {
		seenAt   int64
		value    string
		want     Outcome
		previous string
	}{
		{5, "", Same, ""}, // nothing to take away
		{10, `"on"`, Changed, ""},
		{20, "", Removed, `"on"`},
		{30, "", Same, ""},
		{25, `"off"`, Late, ""},
		{30, "", Duplicate, ""},
		{40, `"on"`, Changed, ""},
		{50, `"off"`, Changed, `"on"`},
		{60, `"off"`, Same, ""},
	}
	for i, step := range steps {
		in := input{Register: Register{SeenAt: step.seenAt, Treatment: []byte("control")}, offset: int64(i)}
		if step.value != "" {
			in.Value = []byte(step.value)
		}
		if got := merge(&rec, in); got != step.want {
			t.Fatalf("step %d: %v, want %v", i, got, step.want)
		}
		changed := step.want == Changed || step.want == Removed
		if changed && string(rec.Emitted.Previous) != step.previous {
			t.Fatalf("step %d: previous %q, want %q", i, rec.Emitted.Previous, step.previous)
		}
	}
}

func TestOutcomeNames(t *testing.T) {
	want := map[Outcome]string{Changed: "change", Removed: "change", Same: "same", Duplicate: "duplicate", Late: "late"}
	for outcome, name := range want {
		if outcome.String() != name {
			t.Errorf("outcome %d is %q, want %q", outcome, outcome, name)
		}
	}
}

func TestMergeDoesNotAllocate(t *testing.T) {
	rec := Record{}
	in := input{Register: Register{SeenAt: 1, Treatment: []byte("on"), Value: []byte(`"on"`)}}
	none := input{Register: Register{Treatment: []byte("control")}}
	if n := testing.AllocsPerRun(100, func() {
		in.SeenAt += 2
		none.SeenAt = in.SeenAt + 1
		merge(&rec, in)
		merge(&rec, none)
		ChangeID("app", testKey, &rec.Emitted)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
