package processor

import (
	"testing"

	"traitstream/config"
	"traitstream/schemas"
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
