package state

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"traitstream/schemas"
	"traitstream/trait"
)

// model is what the store should hold, what was committed by the overlays, and
// with the open transaction's changes: texts by task and state key.
type model struct {
	stored, committed, open map[int32]map[string]string
	holder                  map[int32]*Overlay
	dirty                   map[string]bool // task and key
	next                    int64
}

func newModel() *model {
	return &model{
		stored: map[int32]map[string]string{}, committed: map[int32]map[string]string{}, open: map[int32]map[string]string{},
		holder: map[int32]*Overlay{}, dirty: map[string]bool{},
	}
}

func copyOf(m map[int32]map[string]string) map[int32]map[string]string {
	c := map[int32]map[string]string{}
	for task, texts := range m {
		c[task] = maps.Clone(texts)
	}
	return c
}

// hold gives a task to an overlay; what another one had not stored is gone.
func (m *model) hold(task int32, o *Overlay) {
	if m.holder[task] != o {
		m.holder[task] = o
		m.committed[task], m.open[task] = maps.Clone(m.stored[task]), maps.Clone(m.stored[task])
	}
}

func (m *model) set(task int32, key, text string) {
	if m.open[task] == nil {
		m.open[task] = map[string]string{}
	}
	m.open[task][key] = text
	m.dirty[fmt.Sprintf("%010d%s", task, key)] = true
}

// commit ends the transaction of an overlay.
func (m *model) commit() {
	m.committed = copyOf(m.open)
	clear(m.dirty)
}

// reset aborts the transaction of an overlay, which forgets what it has not
// stored if there was something to abort.
func (m *model) reset(o *Overlay) {
	for task, holder := range m.holder {
		if holder == o && len(m.dirty) > 0 {
			m.committed[task] = maps.Clone(m.stored[task])
		}
	}
	m.open = copyOf(m.committed)
	clear(m.dirty)
}

func (m *model) store(o *Overlay) {
	for task, holder := range m.holder {
		if holder == o {
			m.stored[task] = maps.Clone(m.committed[task])
		}
	}
}

// write is what others write to a task.
func (m *model) write(task int32, change func(texts map[string]string)) {
	if m.stored[task] == nil {
		m.stored[task] = map[string]string{}
	}
	change(m.stored[task])
	delete(m.holder, task)
}

func genTask() *rapid.Generator[int32] { return rapid.SampledFrom([]int32{0, 1, 255, 256}) }

func genKey() *rapid.Generator[trait.Key] {
	return rapid.Custom(func(t *rapid.T) trait.Key {
		return key(rapid.SampledFrom([]string{"\x00", "a", "a\x00", "ab", "\xff", "zoë"}).Draw(t, "user"),
			rapid.SampledFrom([]string{"t", "tt", "u"}).Draw(t, "trait"))
	})
}

// The overlay in front of the store behaves as a map does, whatever it keeps, and
// whoever else writes between two transactions.
func TestOverlayIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := inMemory()
		o.RecordBytes = rapid.SampledFrom([]int{1, 100 << 10, 1 << 20}).Draw(t, "kept")
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}()
		run := &overlayRun{s: s, o: s.NewOverlay(), other: s.NewOverlay(), m: newModel()}
		t.Repeat(map[string]func(*rapid.T){
			"change": run.change,
			"dirty":  run.checkDirty,
			"apply":  run.apply,
			"commit": run.commit,
			"store":  run.store,
			"reset":  func(*rapid.T) { run.reset() },
			"drop":   run.drop,
			"load":   run.load,
			"switch": run.swap,
			"":       run.checkStored,
		})
	})
}

type overlayRun struct {
	s *Store
	o *Overlay
	// other is that of a worker to which the tasks may go.
	other *Overlay
	m     *model
}

// change wants some keys, loads them, compares them and changes some.
func (r *overlayRun) change(t *rapid.T) {
	type wanted struct {
		task int32
		key  trait.Key
		slot Slot
	}
	var all []wanted
	for range rapid.IntRange(1, 20).Draw(t, "keys") {
		w := wanted{task: genTask().Draw(t, "task"), key: genKey().Draw(t, "key")}
		r.m.hold(w.task, r.o)
		all = append(all, w)
	}
	if rapid.Bool().Draw(t, "together") {
		r.o.WantEach(len(all), func(i int) (int32, trait.Key) { return all[i].task, all[i].key },
			func(i int, slot Slot) { all[i].slot = slot })
	} else {
		for i, w := range all {
			all[i].slot = r.o.Want(w.task, w.key)
		}
	}
	if err := r.o.Load(); err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		k := string(schemas.AppendStateKey(nil, w.key))
		if got, want := string(r.o.Record(w.slot).Seen.Treatment), r.m.open[w.task][k]; got != want {
			t.Fatalf("task %d key %q: got %q, want %q", w.task, k, got, want)
		}
		if rapid.Bool().Draw(t, "change") {
			text := rapid.StringMatching(`[a-z]{1,40}`).Draw(t, "text")
			*r.o.Record(w.slot) = record(text, 1)
			r.o.Touch(w.slot)
			r.m.set(w.task, k, text)
		}
	}
}

// checkDirty compares the changes with the model's.
func (r *overlayRun) checkDirty(t *rapid.T) {
	want := slices.Sorted(maps.Keys(r.m.dirty))
	var got []string
	for e := range r.o.Dirty() {
		got = append(got, fmt.Sprintf("%010d%s", e.Task, e.Key))
		if want := encoded(record(r.m.open[e.Task][string(e.Key)], 1)); !bytes.Equal(e.Value, want) {
			t.Fatalf("task %d key %q: encoded as %q, want %q", e.Task, e.Key, e.Value, want)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("dirty: got %q, want %q", got, want)
	}
}

func (r *overlayRun) checkpoints() map[int32]Checkpoint {
	r.m.next++
	cps := map[int32]Checkpoint{}
	for _, task := range []int32{0, 1, 255, 256} {
		r.m.hold(task, r.o)
		cps[task] = at(r.m.next)
	}
	return cps
}

func (r *overlayRun) apply(t *rapid.T) {
	if err := r.o.Apply(r.checkpoints()); err != nil {
		t.Fatal(err)
	}
	r.m.commit()
	r.m.store(r.o)
}

func (r *overlayRun) commit(t *rapid.T) {
	if err := r.o.Commit(r.checkpoints()); err != nil {
		t.Fatal(err)
	}
	r.m.commit()
}

// store comes between two transactions.
func (r *overlayRun) store(t *rapid.T) {
	r.reset()
	if err := r.o.Store(); err != nil {
		t.Fatal(err)
	}
	r.m.store(r.o)
}

func (r *overlayRun) reset() {
	r.o.Reset()
	r.m.reset(r.o)
}

// drop ends the transaction, as a task is dropped between two.
func (r *overlayRun) drop(t *rapid.T) {
	task := genTask().Draw(t, "task")
	r.reset()
	if err := r.s.DropTask(task); err != nil {
		t.Fatal(err)
	}
	r.m.write(task, func(texts map[string]string) { clear(texts) })
}

// load ends the transaction, and brings a record from the changelog.
func (r *overlayRun) load(t *rapid.T) {
	task, k := genTask().Draw(t, "task"), schemas.AppendStateKey(nil, genKey().Draw(t, "key"))
	r.reset()
	r.m.next++
	l := r.s.NewLoader(task, 1<<20)
	defer l.Close()
	l.Put(k, encoded(record("loaded", 1)))
	if err := l.Flush(at(r.m.next)); err != nil {
		t.Fatal(err)
	}
	r.m.write(task, func(texts map[string]string) { texts[string(k)] = "loaded" })
}

// swap ends the transaction, and goes on with the other overlay.
func (r *overlayRun) swap(*rapid.T) {
	r.reset()
	r.o, r.other = r.other, r.o
}

func (r *overlayRun) checkStored(t *rapid.T) {
	for _, task := range []int32{0, 1, 255, 256} {
		got := map[string]string{}
		for e, err := range r.s.All(task) {
			var rec trait.Record
			if err == nil {
				err = schemas.DecodeRecord(e.Value, &rec)
			}
			if err != nil {
				t.Fatal(err)
			}
			got[string(e.Key)] = string(rec.Seen.Treatment)
		}
		if !maps.Equal(got, r.m.stored[task]) {
			t.Fatalf("task %d: stored %q, want %q", task, got, r.m.stored[task])
		}
	}
}

func TestOverlayTakesAKeyOnce(t *testing.T) {
	o := open(t, inMemory()).NewOverlay()
	a, b := o.Want(1, key("ann", "a")), o.Want(2, key("ann", "a"))
	if a == b {
		t.Error("two tasks share a slot")
	}
	if again := o.Want(1, key("ann", "a")); again != a {
		t.Errorf("got slot %d, then %d", a, again)
	}
}

// Records stay where they are, however many come after.
func TestOverlayRecordsStay(t *testing.T) {
	o := open(t, inMemory()).NewOverlay()
	slot := o.Want(0, key("first", "t"))
	r := o.Record(slot)
	for i := range 5000 {
		o.Want(0, key(userName(i), "t"))
	}
	if o.Record(slot) != r {
		t.Error("the record has moved")
	}
	for i := range 5000 {
		if got, want := o.Want(0, key(userName(i), "t")), Slot(i+1); got != want {
			t.Fatalf("key %d: slot %d, want %d", i, got, want)
		}
	}
}

// A record that is changed again after it was encoded is encoded again.
func TestTouchAfterDirty(t *testing.T) {
	o := open(t, inMemory()).NewOverlay()
	slot := o.Want(0, key("ann", "t"))
	for _, text := range []string{"on", "off"} {
		*o.Record(slot) = record(text, 1)
		o.Touch(slot)
		for e := range o.Dirty() {
			if want := encoded(record(text, 1)); !bytes.Equal(e.Value, want) {
				t.Errorf("got %q, want %q", e.Value, want)
			}
		}
	}
}

func TestApplyWantsACheckpoint(t *testing.T) {
	s := open(t, inMemory())
	o := s.NewOverlay()
	for _, task := range []int32{1, 2} {
		slot := o.Want(task, key("ann", "t"))
		*o.Record(slot) = record("on", 1)
		o.Touch(slot)
	}
	err := o.Apply(map[int32]Checkpoint{1: at(1)})
	if err == nil || !strings.Contains(err.Error(), "task 2 has changes but no checkpoint") {
		t.Errorf("got %v", err)
	}
	if got := texts(t, s, 1); len(got) > 0 {
		t.Errorf("some of it was written: %q", got)
	}
	must(t, o.Apply(map[int32]Checkpoint{1: at(1), 2: at(1)}))
	if len(texts(t, s, 1)) != 1 || len(texts(t, s, 2)) != 1 {
		t.Error("the second try wrote nothing")
	}
}

// A large transaction does not leave its memory behind.
func TestOverlayMemoryIsBounded(t *testing.T) {
	s := open(t, inMemory())
	o := s.NewOverlay()
	long := strings.Repeat("x", 1000)
	for range 3 {
		for i := range 100_000 {
			o.Want(0, key(userName(i)+long, "t"))
		}
		must(t, o.Load())
		o.Reset()
	}
	for i := range 100 { // a small one
		o.Want(0, key(userName(i), "t"))
	}
	must(t, o.Load())
	o.Reset()
	kept := 0
	for _, g := range []*generation{o.young, o.old} {
		for _, c := range g.arena.chunks[:cap(g.arena.chunks)] {
			kept += len(c)
		}
		kept += len(g.entries.blocks)*blockEntries*entryBytes + len(g.index.table)*cellBytes
	}
	if kept > 2*s.opts.RecordBytes {
		t.Errorf("%d bytes are kept, of %d", kept, s.opts.RecordBytes)
	}
	for _, b := range o.records.blocks {
		for _, r := range b {
			if r.Seen.Value != nil {
				t.Fatal("a record holds on to its value")
			}
		}
	}
}

func TestEntriesAreALineOfMemory(t *testing.T) {
	if n := unsafe.Sizeof(entry{}); n != entryBytes {
		t.Errorf("an entry has %d bytes", n)
	}
}

// A record whose topic and definition are those of the one before is decoded
// without allocations.
func TestRecordDoesNotAllocate(t *testing.T) {
	o := open(t, inMemory()).NewOverlay()
	cps := map[int32]Checkpoint{1: at(0)}
	change := func(seenAt int64) {
		slot := o.Want(1, key("ann", "f"))
		must(t, o.Load())
		*o.Record(slot) = record("on", seenAt)
		o.Touch(slot)
		must(t, o.Commit(cps))
	}
	change(1)
	change(2)
	k := key("ann", "f")
	if n := testing.AllocsPerRun(100, func() {
		slot := o.Want(1, k)
		o.Record(slot).Seen.SeenAt++
		o.Touch(slot)
		must(t, o.Commit(cps))
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
