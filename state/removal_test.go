package state

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/trait"
)

// A user's records are found wherever they are, in the store, among what waits for
// it, among what the transaction has changed, and nobody else's. Those that are
// removed are gone from all of these, and may come again.
func TestWantUsersAndRemove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := Open(inMemory())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		o := s.NewOverlay()
		users := []string{"a", "a\x00", "ab", "b", ""}
		model := map[string]string{}
		next := int64(1)
		drawUser := rapid.SampledFrom(users)
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1, 2: // set
				user, name := drawUser.Draw(t, "user"), rapid.SampledFrom([]string{"f", "g", "h"}).Draw(t, "name")
				slot := o.Want(3, key(user, name))
				if err := o.Load(); err != nil {
					t.Fatal(err)
				}
				text := fmt.Sprint(next)
				*o.Record(slot) = record(text, next)
				o.Touch(slot)
				model[user+"/"+name] = text
			case 3:
				commitAt(t, o, next)
			case 4:
				commitAt(t, o, next)
				if err := o.Store(); err != nil {
					t.Fatal(err)
				}
			case 5:
				removeUser(t, o, drawUser.Draw(t, "user"), model)
			}
			next++
		}
		commitAt(t, o, next)
		if err := o.Store(); err != nil {
			t.Fatal(err)
		}
		left := kept(t, s)
		if !maps.Equal(left, model) {
			t.Fatalf("the store has %v, want %v", left, model)
		}
	})
}

// removeUser removes a user's records, which must be those of the model.
func removeUser(t *rapid.T, o *Overlay, user string, model map[string]string) {
	want := map[string]string{}
	for k, v := range model {
		if k[:len(k)-2] == user {
			want[k] = v
			delete(model, k)
		}
	}
	got := map[string]string{}
	err := o.WantUsers(3, []User{{impression.User, user}, {impression.User, "nobody"}}, func(i int, slot Slot) {
		if rec := o.Record(slot); i == 0 && !rec.Absent() {
			k, _ := o.Key(slot)
			got[string(k.User)+"/"+string(k.Trait)] = string(rec.Seen.Treatment)
			o.Remove(slot)
		}
	})
	if err != nil || !maps.Equal(got, want) {
		t.Fatalf("found %v of %q, want %v, %v", got, user, want, err)
	}
}

// kept returns the values of task 3 in the store, by user and trait.
func kept(t *rapid.T, s *Store) map[string]string {
	all := map[string]string{}
	for e, err := range s.All(3) {
		k, kerr := schemas.DecodeStateKey(e.Key)
		var r trait.Record
		if err != nil || kerr != nil || schemas.DecodeRecord(e.Value, &r) != nil {
			t.Fatal(err, kerr)
		}
		all[string(k.User)+"/"+string(k.Trait)] = string(r.Seen.Treatment)
	}
	return all
}

func commitAt(t *rapid.T, o *Overlay, next int64) {
	for range o.Dirty() {
		break // encodes
	}
	if err := o.Commit(map[int32]Checkpoint{3: at(next)}); err != nil {
		t.Fatal(err)
	}
}

// A removal that was aborted has not been.
func TestRemoveIsAborted(t *testing.T) {
	s := open(t, inMemory())
	o := s.NewOverlay()
	set := func() Slot {
		slot := o.Want(1, key("u", "f"))
		must(t, o.Load())
		return slot
	}
	slot := set()
	*o.Record(slot) = record("on", 5)
	o.Touch(slot)
	must(t, o.Apply(map[int32]Checkpoint{1: at(1)}))
	o.Remove(set())
	for e := range o.Dirty() {
		if e.Value != nil {
			t.Errorf("a removal has the value %q", e.Value)
		}
	}
	o.Reset()
	if rec := o.Record(set()); rec.Absent() {
		t.Error("it is gone after an abort")
	}
}

// An unlogged move goes with its record.
func TestRemoveWhatHasMoved(t *testing.T) {
	s := open(t, inMemory())
	o := s.NewOverlay()
	slot := o.Want(1, key("u", "f"))
	must(t, o.Load())
	*o.Record(slot) = record("on", 5)
	o.Touch(slot)
	must(t, o.Apply(map[int32]Checkpoint{1: at(1)}))
	slot = o.Want(1, key("u", "f"))
	must(t, o.Load())
	later := record("on", 9).Seen
	if _, ok := o.MoveUnlogged(slot, &later, 1<<20); !ok {
		t.Fatal("it did not move")
	}
	if seen := o.Record(slot).Seen.SeenAt; seen != 9 {
		t.Errorf("seen at %d, want 9", seen)
	}
	o.Remove(slot)
	must(t, o.Commit(map[int32]Checkpoint{1: at(2)}))
	o.Log(o.Moves())
	for e := range o.Dirty() {
		t.Errorf("%q is logged", e.Key)
	}
	must(t, o.Store())
	if got := texts(t, s, 1); len(got) != 0 {
		t.Errorf("the store has %v", got)
	}
}

// What a task remembers beside its traits lies apart from them.
func TestTaskRecords(t *testing.T) {
	s := open(t, inMemory())
	o := s.NewOverlay()
	o.Set(1, []byte{schemas.FirstTaskKey, 7}, []byte("x"))
	o.Set(1, schemas.ClockKey(), []byte("c"))
	o.Set(2, schemas.ClockKey(), []byte("d"))
	slot := o.Want(1, key("u", "f"))
	must(t, o.Load())
	*o.Record(slot) = record("on", 5)
	o.Touch(slot)
	must(t, o.Apply(map[int32]Checkpoint{1: at(1), 2: at(1)}))
	list := func() (all []string) {
		for e, err := range s.TaskRecords(1) {
			must(t, err)
			all = append(all, fmt.Sprintf("%x=%s", e.Key, e.Value))
		}
		return all
	}
	if got := list(); !slices.Equal(got, []string{"f007=x", "f2=c"}) {
		t.Errorf("task 1 remembers %v", got)
	}
	if got := texts(t, s, 1); len(got) != 1 {
		t.Errorf("the traits are %v", got)
	}
	o.Set(1, schemas.ClockKey(), nil)
	must(t, o.Apply(map[int32]Checkpoint{1: at(2)}))
	if got := list(); !slices.Equal(got, []string{"f007=x"}) {
		t.Errorf("task 1 remembers %v", got)
	}
	must(t, s.DropTask(1))
	if got := list(); len(got) != 0 {
		t.Errorf("a dropped task remembers %v", got)
	}
}

// Pages of any size come to all records, each once and in order.
func TestPage(t *testing.T) {
	s := open(t, inMemory())
	b := s.NewBatch()
	var want []string
	for i := range 100 {
		k := stateKey(userName(i), "f")
		want = append(want, string(k))
		b.Put(4, k, encoded(record("on", int64(i))))
	}
	b.Put(4, schemas.ClockKey(), []byte("c"))
	b.Put(5, stateKey("x", "f"), encoded(record("on", 1)))
	must(t, b.Commit())
	for _, size := range []int{1, 7, 100, 1000} {
		var got []string
		var behind []byte
		for {
			n := 0
			var err error
			behind, err = s.Page(4, behind, func(e Entry) bool {
				got = append(got, string(bytes.Clone(e.Key)))
				n++
				return n < size
			})
			must(t, err)
			if behind == nil {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %d records", size, len(got))
		}
	}
}
