package state

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"traitstream/trait"
)

func genRegister() *rapid.Generator[trait.Register] {
	return rapid.Custom(func(t *rapid.T) trait.Register {
		r := trait.Register{
			SeenAt: rapid.Int64Range(-1, 4).Draw(t, "seen at"), Version: rapid.Int64Range(0, 2).Draw(t, "version"),
			Treatment: []byte(rapid.SampledFrom([]string{"", "on", "off"}).Draw(t, "treatment")),
		}
		switch rapid.IntRange(0, 3).Draw(t, "value") {
		case 0: // not served, under clear
		case 1:
			r.Value = []byte("1")
		default:
			r.Value = []byte(`"` + string(r.Treatment) + `"`)
		}
		return r
	})
}

// moves has an overlay and a record that were told the same.
type moves struct {
	o    *Overlay
	key  trait.Key
	want trait.Record
}

// Move comes to what Merge comes to, where it comes to anything.
func TestMoveIsMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := Open(inMemory())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		m := moves{o: s.NewOverlay(), key: key("ann", "t")}
		for next := range rapid.Int64Range(1, 5).Draw(t, "transactions") {
			m.transaction(t)
			if err := m.o.Apply(map[int32]Checkpoint{0: at(next)}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func (m *moves) transaction(t *rapid.T) {
	slot := m.o.Want(0, m.key)
	if err := m.o.Load(); err != nil {
		t.Fatal(err)
	}
	changes := 0
	for range rapid.IntRange(0, 4).Draw(t, "impressions") {
		in := genRegister().Draw(t, "register")
		want := m.want.Merge("app", m.key, in, trait.Facts{}, 0)
		got := m.merge(slot, in, rapid.SampledFrom([]int{10, 1 << 20}).Draw(t, "most"))
		if got != want {
			t.Fatalf("%v, want %v", got, want)
		}
		if got != trait.Late && got != trait.Duplicate {
			changes = 1
		}
	}
	for e := range m.o.Dirty() {
		changes--
		if !bytes.Equal(e.Value, encoded(m.want)) {
			t.Fatalf("%q, want %q", e.Value, encoded(m.want))
		}
	}
	if changes != 0 {
		t.Fatalf("the change is missing or one too many: %d", changes)
	}
}

// merge does what the processor does.
func (m *moves) merge(slot Slot, in trait.Register, most int) trait.Outcome {
	if got, ok := m.o.Move(slot, &in, most); ok {
		return got
	}
	got := m.o.Record(slot).Merge("app", m.key, in, trait.Facts{}, 0)
	if got != trait.Late && got != trait.Duplicate {
		m.o.Touch(slot)
	}
	return got
}

// remembered returns an overlay that has committed a record.
func remembered(t *testing.T) (*Overlay, trait.Key, trait.Record) {
	t.Helper()
	o := open(t, inMemory()).NewOverlay()
	k, r := key("ann", "t"), record("on", 1)
	slot := o.Want(0, k)
	must(t, o.Load())
	*o.Record(slot) = r
	o.Touch(slot)
	must(t, o.Apply(map[int32]Checkpoint{0: at(1)}))
	return o, k, r
}

// A record that was seen before takes no allocation to see again, logged at once
// or not.
func TestMoveDoesNotAllocate(t *testing.T) {
	for name, move := range map[string]func(*Overlay, Slot, *trait.Register, int) (trait.Outcome, bool){
		"logged": (*Overlay).Move, "unlogged": (*Overlay).MoveUnlogged,
	} {
		o, k, r := remembered(t)
		in := r.Seen
		if n := testing.AllocsPerRun(100, func() {
			in.SeenAt++
			if got, ok := move(o, o.Want(0, k), &in, 1<<10); got != trait.Same || !ok {
				t.Fatalf("%s: %v, %v", name, got, ok)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
