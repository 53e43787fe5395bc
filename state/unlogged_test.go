package state

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"traitstream/schemas"
	"traitstream/trait"
)

// unlogged is an overlay of which some moves are logged late, beside what is
// known of each record: as it is, and as it was logged.
type unlogged struct {
	s            *Store
	o            *Overlay
	next         int64
	seen, logged map[string]trait.Record
}

var unloggedKeys = []string{"ann", "bob", "cat", "dan"}

// What is unlogged is remembered whatever else the overlay forgets, is logged
// when it is asked for, and the store has what is logged.
func TestUnloggedMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		options := inMemory()
		options.RecordBytes = 1 // forgets all that it may
		s, err := Open(options)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		u := &unlogged{s: s, o: s.NewOverlay(), seen: map[string]trait.Record{}, logged: map[string]trait.Record{}}
		for range rapid.IntRange(1, 8).Draw(t, "transactions") {
			u.transaction(t)
			switch rapid.IntRange(0, 3).Draw(t, "then") {
			case 0:
				u.adopt()
			case 1:
				u.forget(t)
			}
		}
	})
}

func (u *unlogged) transaction(t *rapid.T) {
	var slots []Slot
	for _, user := range unloggedKeys {
		slots = append(slots, u.o.Want(0, key(user, "t")))
	}
	if err := u.o.Load(); err != nil {
		t.Fatal(err)
	}
	changed := map[string]bool{}
	for range rapid.IntRange(0, 6).Draw(t, "impressions") {
		i := rapid.IntRange(0, len(slots)-1).Draw(t, "user")
		user, in := unloggedKeys[i], genRegister().Draw(t, "register")
		rec := u.seen[user]
		want := rec.Merge("app", key(user, "t"), in, trait.Facts{}, 0)
		if want != trait.Late && want != trait.Duplicate {
			u.seen[user] = rec
		}
		got, ok := u.o.MoveUnlogged(slots[i], &in, 1<<20)
		if !ok {
			got = u.o.Record(slots[i]).Merge("app", key(user, "t"), in, trait.Facts{}, 0)
			if got != trait.Late && got != trait.Duplicate {
				u.o.Touch(slots[i])
				changed[user] = true
			}
		}
		if got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	all := rapid.Bool().Draw(t, "log all")
	if all {
		u.o.Log(u.o.Moves())
	}
	for e := range u.o.Dirty() {
		k, err := schemas.DecodeStateKey(e.Key)
		if err != nil {
			t.Fatal(err)
		}
		user := string(k.User)
		if !bytes.Equal(e.Value, encoded(u.seen[user])) {
			t.Fatalf("%s is logged as %q, want %q", user, e.Value, encoded(u.seen[user]))
		}
		u.logged[user] = u.seen[user]
		delete(changed, user)
	}
	if len(changed) > 0 {
		t.Fatalf("not logged: %v", changed)
	}
	u.next++
	if err := u.o.Apply(map[int32]Checkpoint{0: at(u.next)}); err != nil {
		t.Fatal(err)
	}
	for user, rec := range u.seen {
		if all && !bytes.Equal(encoded(rec), encoded(u.logged[user])) {
			t.Fatalf("%s is logged as %v, want %v", user, u.logged[user], rec)
		}
	}
	u.stored(t)
}

// stored checks that the store holds what was logged.
func (u *unlogged) stored(t *rapid.T) {
	for _, user := range unloggedKeys {
		got, err := u.s.Get(0, key(user, "t"))
		if err != nil {
			t.Fatal(err)
		}
		want, ok := u.logged[user]
		if (got != nil) != ok || ok && !bytes.Equal(encoded(*got), encoded(want)) {
			t.Fatalf("the store has %v of %s, want %v", got, user, want)
		}
	}
}

// adopt goes on with another overlay, as after a restore.
func (u *unlogged) adopt() {
	o := u.s.NewOverlay()
	o.Adopt(u.o)
	u.o = o
}

// forget loses what is unlogged, as a task does that goes.
func (u *unlogged) forget(t *rapid.T) {
	u.o.Forget(0)
	for user := range u.seen {
		u.seen[user] = u.logged[user]
		if _, ok := u.logged[user]; !ok {
			delete(u.seen, user)
		}
	}
	if u.o.moves.pinned != 0 {
		t.Fatalf("%d moves are kept", u.o.moves.pinned)
	}
}

// An aborted transaction takes all unlogged moves with it, those of others too:
// what is here is not what was committed.
func TestAbortDropsMoves(t *testing.T) {
	o, k, r := remembered(t)
	in := r.Seen
	for range 2 {
		in.SeenAt++
		slot := o.Want(0, k)
		must(t, o.Load())
		if got, ok := o.MoveUnlogged(slot, &in, 1<<10); got != trait.Same || !ok {
			t.Fatalf("%v, %v", got, ok)
		}
		o.Reset()
		slot = o.Want(0, k)
		must(t, o.Load())
		if got := o.Record(slot).Seen.SeenAt; got != r.Seen.SeenAt || o.Crowded() {
			t.Errorf("it was seen at %d", got)
		}
		o.Reset()
	}
}
