package state

import (
	"errors"
	"testing"
)

// An overlay whose task somebody else takes says so if something was here alone,
// as long as it lives, and does not go on with what the store says.
func TestTaken(t *testing.T) {
	for name, c := range map[string]struct {
		leave func(o *Overlay, slot Slot)
		want  error
	}{
		"nothing is here alone": {func(*Overlay, Slot) {}, nil},
		"a committed change": {func(o *Overlay, slot Slot) {
			*o.Record(slot) = record("off", 1)
			o.Touch(slot)
		}, ErrTaken},
		"a moved time": {func(o *Overlay, slot Slot) {
			in := record("on", 1).Seen
			in.SeenAt++
			if _, ok := o.MoveUnlogged(slot, &in, 1<<10); !ok {
				t.Error("it did not move")
			}
		}, ErrTaken},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, inMemory())
			o, k := s.NewOverlay(), key("ann", "t")
			slot := o.Want(0, k)
			must(t, o.Load())
			*o.Record(slot) = record("on", 1)
			o.Touch(slot)
			must(t, o.Apply(map[int32]Checkpoint{0: at(1)}))
			slot = o.Want(0, k)
			must(t, o.Load())
			c.leave(o, slot)
			cps := map[int32]Checkpoint{0: at(2)}
			if c.want == nil {
				cps = nil
			}
			must(t, o.Commit(cps))
			other := s.NewOverlay()
			other.Want(0, k)
			if err := o.Taken(); err != nil {
				t.Fatalf("%v before it is wanted", err)
			}
			o.Want(0, k)
			if err := o.Taken(); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}
