package processor

import (
	"testing"

	"traitstream/config"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// What a job reads again while definitions are replaced is sent and counted as the job
// says, and not as if it were the definitions'.
func TestReplayWhileReplacing(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		m := newWorld(t, "", 1).member("")
		w := m.workers[0]
		w.renew()
		of := &task{number: 0}
		w.removals[0] = &removals{task: of}
		sets := make([]*trait.Set, 2)
		for i, text := range []string{`[{name: "{split}"}]`, `[{name: "{split}", where: {treatment: [on, "off"]}}]`} {
			c, err := config.Parse("test.yaml", []byte("traits: "+text), func(string) (string, bool) { return "", false })
			if err != nil {
				t.Fatal(err)
			}
			sets[i] = c.Set
		}
		p := &plan{
			TaskDefinitions: schemas.TaskDefinitions{Phase: schemas.Replacing, Next: 1}, task: of, change: trait.NewChange(sets[0], sets[1]),
		}
		define := &share{job: &schemas.Job{ID: schemas.DefinitionsJob(1), Emit: schemas.EmitDefine}, task: of}
		w.replays.shares[shareKey{define.job.ID, 0}] = define
		replay := &share{job: &schemas.Job{ID: "j"}, task: of}

		key := trait.Key{User: []byte("u"), Trait: []byte("f")}
		beside := key
		beside.Trait = trait.Shadow(1, key.Trait)
		slot, shadow := w.state.Want(0, key), w.state.Want(0, beside)
		if err := w.state.Load(); err != nil {
			t.Fatal(err)
		}
		facts := trait.Facts{Flag: []byte("f"), Definition: "{split}", Place: trait.Place{Topic: "a", Index: -1}}
		seen := func(at int64, value string) trait.Register {
			return trait.Register{SeenAt: at, Treatment: []byte(value), Value: []byte(`"` + value + `"`)}
		}
		w.state.Record(slot).Merge("app", key, seen(1, "old"), facts, 0)
		w.state.Record(shadow).Merge("app", key, seen(2, "off"), facts, 1)

		s := sighting{slot: slot, task: 0, key: key, seen: seen(3, "on"), facts: facts, plan: p, fresh: true}
		s.again = again{replayed: true, quiet: quiet, share: replay}
		if _, done, err := w.mergeReplacing(&s); !done || err != nil {
			t.Fatal(done, err)
		}
		sent := map[bool]int{false: 1, true: 0}[quiet]
		if len(w.out.records) != sent || replay.progress.Sent != int64(sent) || define.progress.Sent != 0 {
			t.Errorf("quiet %t: %d records, the job has sent %d and the definitions %d", quiet, len(w.out.records), replay.progress.Sent, define.progress.Sent)
		}
		if err := w.replace(p, key, slot, shadow, define); err != nil { // its turn has come
			t.Fatal(err)
		}
		rec := w.state.Record(slot)
		if value := string(rec.Emitted.Value); rec.Seen.SeenAt != 3 || quiet != (value == `"off"`) || len(w.out.records) != 1 {
			t.Errorf("quiet %t: seen at %d, sent is %s", quiet, rec.Seen.SeenAt, value)
		}
		m.close()
	}
}

// replacing is a task, of a worker's, that goes over to other definitions.
type replacing struct {
	w            *worker
	p            *plan
	slot, shadow state.Slot
	by           *share // which sends nothing
}

// newReplacing begins with a user's trait f, which the first of the definitions has made of
// "on" at 1.
func newReplacing(t *testing.T, old, next string) *replacing {
	t.Helper()
	m := newWorld(t, "", 1).member("")
	t.Cleanup(m.close)
	w := m.workers[0]
	w.renew()
	of := &task{number: 0}
	w.removals[0] = &removals{task: of}
	var sets []*trait.Set
	for _, text := range []string{old, next} {
		c, err := config.Parse("test.yaml", []byte("traits: "+text), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, c.Set)
	}
	r := &replacing{w: w, by: &share{job: &schemas.Job{ID: "j", Emit: schemas.EmitNone}, task: of}}
	r.p = &plan{
		TaskDefinitions: schemas.TaskDefinitions{Phase: schemas.Replacing, Next: 1}, task: of, change: trait.NewChange(sets[0], sets[1]), stored: true,
	}
	beside := r.key()
	beside.Trait = trait.Shadow(1, beside.Trait)
	r.slot, r.shadow = w.state.Want(0, r.key()), w.state.Want(0, beside)
	if err := w.state.Load(); err != nil {
		t.Fatal(err)
	}
	w.state.Record(r.slot).Merge("app", r.key(), r.seen(1, "on"), r.facts("{split}"), 0)
	return r
}

func (*replacing) key() trait.Key { return trait.Key{User: []byte("u"), Trait: []byte("f")} }

func (*replacing) seen(at int64, value string) trait.Register {
	return trait.Register{SeenAt: at, Treatment: []byte(value), Value: []byte(`"` + value + `"`)}
}

func (*replacing) facts(definition string) trait.Facts {
	return trait.Facts{Flag: []byte("f"), Definition: definition, Place: trait.Place{Topic: "a", Index: -1}}
}

// replayed merges what the job has read again that sends nothing, by a definition that is
// new.
func (r *replacing) replayed(t *testing.T, at int64, value string) {
	t.Helper()
	s := sighting{slot: r.slot, key: r.key(), seen: r.seen(at, value), facts: r.facts("f"), plan: r.p, fresh: true}
	s.again = again{replayed: true, quiet: true, share: r.by}
	if err := r.w.merge(&s); err != nil {
		t.Fatal(err)
	}
}

// A replay that sends nothing takes away no trait whose definition stays, where one that
// is new sees it too while definitions are replaced.
func TestQuietReplayOfWhatIsKept(t *testing.T) {
	for _, beside := range []bool{false, true} {
		r := newReplacing(t, `[{name: "{split}", where: {treatment: on}}]`, `[{name: "{split}", where: {treatment: on}}, {name: f, where: {treatment: "off"}}]`)
		sent, last := 0, `"on"`
		if beside { // of which something is new: that is sent
			r.w.state.Record(r.shadow).Merge("app", r.key(), r.seen(2, "off"), r.facts("f"), 1)
			sent, last = 1, `"off"`
		}
		r.replayed(t, 3, "off")
		if err := r.w.replace(r.p, r.key(), r.slot, r.shadow, nil); err != nil { // its turn has come
			t.Fatal(err)
		}
		if rec := r.w.state.Record(r.slot); len(r.w.out.records) != sent || string(rec.Emitted.Value) != last || rec.Seen.SeenAt != 3 {
			t.Errorf("%d records, seen at %d, the last says %s", len(r.w.out.records), rec.Seen.SeenAt, rec.Emitted.Value)
		}
	}
}

// What a replay that sends nothing notes beside a trait is known to the store before the
// trait's turn comes: the way through the keys would go past it, and the trait would stay
// as its definition that is gone has made it.
func TestQuietReplayIsGoneThrough(t *testing.T) {
	r := newReplacing(t, `[{name: "{split}", where: {treatment: on}}]`, `[{name: f, where: {treatment: "off"}}]`)
	r.replayed(t, 3, "off")
	if r.w.state.Record(r.shadow).Absent() || r.p.stored {
		t.Errorf("the store has all: %t", r.p.stored)
	}
}
