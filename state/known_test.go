package state

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/trait"
)

// knowing is an overlay beside what is committed, in a map.
type knowing struct {
	s       *Store
	o       *Overlay
	next    int64
	traits  map[string]map[string]trait.Record // by user and name
	markers map[string]schemas.Marker          // by user
	clock   int64
}

var (
	knownUsers  = []string{"ann", "an", "a\x00n", "ann\x00"}
	knownTraits = []string{"f", "g", "g\x00", "ff"}
)

// What is told of a user is what was committed last, whatever waits for the
// store, was not logged, was forgotten or aborted.
func TestKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		options := inMemory()
		options.RecordBytes = rapid.SampledFrom([]int{1, 1 << 20}).Draw(t, "memory")
		s, err := Open(options)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		k := &knowing{s: s, o: s.NewOverlay(), traits: map[string]map[string]trait.Record{}, markers: map[string]schemas.Marker{}}
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				if err := k.o.Store(); err != nil {
					t.Fatal(err)
				}
			case 1:
				k.adopt()
			default:
				k.transaction(t)
			}
			k.check(t, k.o)
		}
	})
}

// transaction merges, forgets, moves the clock and commits, or begins to and is
// aborted. As in the processor the overlay of an aborted one is not used again.
func (k *knowing) transaction(t *rapid.T) {
	traits, markers, clock := map[string]map[string]trait.Record{}, maps.Clone(k.markers), k.clock
	for user, records := range k.traits {
		traits[user] = maps.Clone(records)
	}
	for range rapid.IntRange(0, 8).Draw(t, "impressions") {
		user, name := rapid.SampledFrom(knownUsers).Draw(t, "user"), rapid.SampledFrom(knownTraits).Draw(t, "trait")
		k.merge(t, traits, user, name)
	}
	if rapid.IntRange(0, 3).Draw(t, "forget") == 0 {
		user := rapid.SampledFrom(knownUsers).Draw(t, "whom")
		k.forget(t, user)
		delete(traits, user)
		markers[user] = schemas.Marker{Until: 7, At: k.next}
		k.o.Set(0, schemas.AppendMarkerKey(nil, schemas.MarkerKeyOf("app", trait.Key{Identity: impression.User, User: []byte(user)})),
			schemas.AppendMarker(nil, markers[user]))
	}
	if rapid.Bool().Draw(t, "tick") {
		clock++
		k.o.Set(0, schemas.ClockKey(), schemas.AppendClock(nil, clock))
	}
	if rapid.IntRange(0, 3).Draw(t, "aborted") == 0 {
		// Only what was logged is left of it: as a restore would, all is logged first.
		k.renew(t)
		return
	}
	if rapid.Bool().Draw(t, "log all") {
		k.o.Log(k.o.Moves())
	}
	k.next++
	if err := k.o.Commit(map[int32]Checkpoint{0: at(k.next)}); err != nil {
		t.Fatal(err)
	}
	k.traits, k.markers, k.clock = traits, markers, clock
}

func (k *knowing) merge(t *rapid.T, traits map[string]map[string]trait.Record, user, name string) {
	in := trait.Register{SeenAt: rapid.Int64Range(1, 9).Draw(t, "seen at"), Treatment: []byte("on"), Value: []byte(`"on"`)}
	if rapid.IntRange(0, 3).Draw(t, "other") == 0 {
		in.Treatment, in.Value = []byte("off"), []byte(`"off"`)
	}
	rec := traits[user][name]
	if outcome := rec.Merge("app", key(user, name), in, trait.Facts{}, 0); outcome != trait.Late && outcome != trait.Duplicate {
		if traits[user] == nil {
			traits[user] = map[string]trait.Record{}
		}
		traits[user][name] = rec
	}
	slot := k.o.Want(0, key(user, name))
	if err := k.o.Load(); err != nil {
		t.Fatal(err)
	}
	if _, ok := k.o.MoveUnlogged(slot, &in, 1<<20); ok {
		return
	}
	if outcome := k.o.Record(slot).Merge("app", key(user, name), in, trait.Facts{}, 0); outcome != trait.Late && outcome != trait.Duplicate {
		k.o.Touch(slot)
	}
}

func (k *knowing) forget(t *rapid.T, user string) {
	err := k.o.WantUsers(0, []User{{impression.User, user}}, func(_ int, slot Slot) { k.o.Remove(slot) })
	if err != nil {
		t.Fatal(err)
	}
}

// renew goes on with a new overlay, to which a restore has brought what the store
// lacks.
func (k *knowing) renew(t *rapid.T) {
	b := k.s.NewBatch()
	for _, user := range knownUsers {
		for _, name := range knownTraits {
			if rec, ok := k.traits[user][name]; ok {
				b.Put(0, stateKey(user, name), encoded(rec))
			} else {
				b.Delete(0, stateKey(user, name))
			}
		}
		id := schemas.AppendMarkerKey(nil, schemas.MarkerKeyOf("app", trait.Key{Identity: impression.User, User: []byte(user)}))
		if m, ok := k.markers[user]; ok {
			b.Put(0, id, schemas.AppendMarker(nil, m))
		}
	}
	if k.clock > 0 {
		b.Put(0, schemas.ClockKey(), schemas.AppendClock(nil, k.clock))
	}
	b.SetCheckpoint(0, at(k.next))
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	k.o = k.s.NewOverlay()
}

// adopt goes on with an overlay that has taken over the moves of the one before.
func (k *knowing) adopt() {
	if len(k.o.cps) > 0 {
		return // it would be lost
	}
	o := k.s.NewOverlay()
	o.Adopt(k.o)
	k.o = o
}

func (k *knowing) check(t *rapid.T, o *Overlay) {
	most := rapid.IntRange(1, 5).Draw(t, "most")
	for _, user := range knownUsers {
		l := Lookup{User: User{impression.User, user}, Most: most}
		got := map[string]trait.Record{}
		for more := true; more; {
			known := look(t, o, l)
			for _, kt := range known.Traits {
				if l.Behind != nil && string(kt.Name) <= string(l.Behind) {
					t.Fatalf("%q comes behind %q", kt.Name, l.Behind)
				}
				got[string(kt.Name)], l.Behind = kt.Record, kt.Name
			}
			if more = known.More; more && len(known.Traits) != most {
				t.Fatalf("%d traits and more", len(known.Traits))
			}
			if known.Clock != k.clock || len(known.Markers) > 0 != (k.markers[user] != schemas.Marker{}) || len(known.Markers) > 0 && known.Markers[0] != k.markers[user] {
				t.Fatalf("clock %d and markers %v, want %d and %v", known.Clock, known.Markers, k.clock, k.markers[user])
			}
		}
		same(t, got, k.traits[user])
		for _, name := range knownTraits {
			one := map[string]trait.Record{}
			for _, kt := range look(t, o, Lookup{User: l.User, Trait: []byte(name), Most: 1}).Traits {
				one[string(kt.Name)] = kt.Record
			}
			want := map[string]trait.Record{}
			if rec, ok := k.traits[user][name]; ok {
				want[name] = rec
			}
			same(t, one, want)
		}
	}
}

func look(t *rapid.T, o *Overlay, l Lookup) *Known {
	known, err := o.Known(l)
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func same(t *rapid.T, got, want map[string]trait.Record) {
	texts := func(m map[string]trait.Record) (lines []string) {
		for name, rec := range m {
			lines = append(lines, fmt.Sprintf("%q: %+v", name, rec))
		}
		slices.Sort(lines)
		return lines
	}
	if g, w := texts(got), texts(want); !reflect.DeepEqual(g, w) {
		t.Fatalf("got\n%v\nwant\n%v", g, w)
	}
}

// Where somebody else has taken the task, what waits here is not told.
func TestKnownOfATakenTask(t *testing.T) {
	s := open(t, inMemory())
	o := s.NewOverlay()
	*o.Record(o.Want(0, key("ann", "f"))) = record("on", 1)
	o.Touch(o.Want(0, key("ann", "f")))
	must(t, o.Commit(map[int32]Checkpoint{0: at(1)}))
	l := Lookup{User: User{impression.User, "ann"}, Most: 10}
	if known, err := o.Known(l); err != nil || len(known.Traits) != 1 {
		t.Fatalf("%+v, %v", known, err)
	}
	s.NewOverlay().Want(0, key("bob", "f"))
	if _, err := o.Known(l); !errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
	if known, err := s.NewOverlay().Known(l); err != nil || len(known.Traits) != 0 {
		t.Errorf("an overlay that holds nothing tells %+v, %v", known, err)
	}
}

// Nor is what has moved here alone.
func TestKnownOfTakenMoves(t *testing.T) {
	o, k, r := remembered(t)
	in := r.Seen
	in.SeenAt++
	slot := o.Want(0, k)
	must(t, o.Load())
	if _, ok := o.MoveUnlogged(slot, &in, 1<<10); !ok {
		t.Fatal("it was not moved")
	}
	must(t, o.Apply(nil))
	l := Lookup{User: User{k.Identity, string(k.User)}, Trait: k.Trait, Most: 1}
	if known, err := o.Known(l); err != nil || known.Traits[0].Record.Seen.SeenAt != in.SeenAt {
		t.Fatalf("%+v, %v", known, err)
	}
	o.s.NewOverlay().Want(0, k)
	if _, err := o.Known(l); !errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
}

// A folder is read as it was left, also by two at a time and from a disk that
// can't be written, and not while a process has it.
func TestOpenForReading(t *testing.T) {
	o := options(t)
	if _, err := OpenForReading(o); !errors.Is(err, ErrNoState) {
		t.Errorf("an empty folder: %v", err)
	}
	s := open(t, o)
	overlay := s.NewOverlay()
	*overlay.Record(overlay.Want(3, key("ann", "f"))) = record("on", 1)
	overlay.Touch(overlay.Want(3, key("ann", "f")))
	must(t, overlay.Apply(map[int32]Checkpoint{3: at(1)}))
	if _, err := OpenForReading(o); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is open: %v", err)
	}
	must(t, s.Close())

	before := files(t, o.Dir)
	other := o
	other.App = "other"
	var stamp *StampError
	if _, err := OpenForReading(other); !errors.As(err, &stamp) || stamp.What != "app" {
		t.Errorf("another app's: %v", err)
	}
	o.ClusterID = ""
	first, second := openToRead(t, o), openToRead(t, o)
	for _, r := range []*Store{first, second} {
		known, err := r.NewOverlay().Known(Lookup{Task: 3, User: User{impression.User, "ann"}, Most: 10})
		if err != nil || len(known.Traits) != 1 || string(known.Traits[0].Record.Seen.Treatment) != "on" {
			t.Errorf("%+v, %v", known, err)
		}
		if err := r.SetMeta("a", nil); err == nil {
			t.Error("it was written")
		}
	}
	if _, err := Open(onCluster(o)); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is read: %v", err)
	}
	must(t, errors.Join(first.Close(), second.Close()))
	if after := files(t, o.Dir); !slices.Equal(before, after) {
		t.Errorf("the files were %v and are %v", before, after)
	}
}

func openToRead(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := OpenForReading(o)
	must(t, err)
	return s
}

// files lists a folder, with sizes and times.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		all = append(all, fmt.Sprint(path, info.Size(), info.ModTime()))
		return err
	}))
	return all
}

func onCluster(o Options) Options { o.ClusterID = "cluster"; return o }
