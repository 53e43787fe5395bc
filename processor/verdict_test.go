package processor

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// check compares topics and state folders with the oracle (S12).
func (b *bubble) check(dirs ...string) {
	b.t.Helper()
	want := b.truth()
	last := b.checkChanges(&want)
	b.checkChangelog(&want, last)
	b.checkLetters(&want)
	for _, dir := range dirs {
		b.checkState(dir)
	}
}

// checkChanges returns the ids of the last changes, by key.
func (b *bubble) checkChanges(want *truth) map[string]string {
	b.t.Helper()
	lines, values, last := map[string][]string{}, map[string]string{}, map[string]string{}
	seen, latest := map[string]bool{}, map[string]*kgo.Record{}
	for p, records := range b.read(b.topics.Traits) {
		for _, r := range records {
			key, err := schemas.DecodeKey(r.Key)
			if err != nil {
				b.t.Fatal(err)
			}
			if kafka.Partition(key.User, b.topics.Tasks) != int32(p) {
				b.t.Errorf("the change %s is in partition %d", line(r), p)
			}
			name := string(r.Key)
			id := string(r.Headers[0].Value)
			if header(r, schemas.HeaderReplay) != nil {
				b.checkAgain(r, latest[name])
				continue
			}
			latest[name] = r
			if seen[id] {
				b.t.Errorf("the change id of %s comes again", line(r))
			}
			seen[id], last[name] = true, id
			values[name] = b.link(r, values[name])
			if want.steady[string(key.User)] {
				lines[name] = append(lines[name], line(r))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want.lines)) {
		if !slices.Equal(lines[key], want.lines[key]) {
			b.t.Errorf("the changes of %s are\n%s\nwant\n%s", key, strings.Join(lines[key], "\n"), strings.Join(want.lines[key], "\n"))
		}
	}
	for key := range lines {
		if want.lines[key] == nil {
			b.t.Errorf("there are changes of %s, want none", key)
		}
	}
	b.checkValues(want, values)
	return last
}

// checkAgain checks that what a replay has sent again is what was sent last.
func (b *bubble) checkAgain(r, last *kgo.Record) {
	b.t.Helper()
	again := *r
	again.Headers = r.Headers[:len(r.Headers)-1]
	if last == nil || line(&again) != line(last) {
		b.t.Errorf("%s was sent again, but that is not the last change", line(r))
	}
}

// link checks that a change follows from the value before, empty for none, and
// returns its own.
func (b *bubble) link(r *kgo.Record, before string) string {
	b.t.Helper()
	if r.Value == nil {
		if before == "" {
			b.t.Errorf("%s removes nothing", line(r))
		}
		return ""
	}
	var v struct{ Value, Previous json.RawMessage }
	if err := json.Unmarshal(r.Value, &v); err != nil {
		b.t.Fatal(err)
	}
	previous := string(v.Previous)
	if previous == "null" {
		previous = ""
	}
	if previous != before || string(v.Value) == before {
		b.t.Errorf("%s comes after the value %q", line(r), before)
	}
	return string(v.Value)
}

// checkValues compares final values.
func (b *bubble) checkValues(want *truth, got map[string]string) {
	b.t.Helper()
	for key, unsure := range want.unsure {
		if unsure {
			delete(got, key.JSON())
		}
	}
	for key, v := range want.Traits {
		if got[key.JSON()] != v.Value {
			b.t.Errorf("%s ends in %q, want %q", key.JSON(), got[key.JSON()], v.Value)
		}
		delete(got, key.JSON())
	}
	for key := range got {
		if got[key] == "" && want.removes {
			continue
		}
		b.t.Errorf("%s ends in %q, want nothing at all", key, got[key])
	}
}

// eachTrait calls fn for what the changelog has of each trait, as a restore would
// read it.
func (b *bubble) eachTrait(fn func(oracle.Key, trait.Key, *trait.Record)) {
	b.t.Helper()
	for task := range b.topics.Tasks {
		for k, v := range b.replay(task, -1) {
			if schemas.IsTaskKey([]byte(k)) {
				continue
			}
			key, err := schemas.DecodeStateKey([]byte(k))
			if err != nil {
				b.t.Fatal(err)
			}
			var rec trait.Record
			if err := schemas.DecodeRecord([]byte(v), &rec); err != nil {
				b.t.Fatal(err)
			}
			fn(oracle.Key{Identity: key.Identity.String(), User: string(key.User), Trait: string(key.Trait)}, key, &rec)
		}
	}
}

// checkChangelog compares the changelog, as a restore would read it, with the
// oracle, and its emissions with the last changes.
func (b *bubble) checkChangelog(want *truth, last map[string]string) {
	b.t.Helper()
	found := 0
	b.eachTrait(func(name oracle.Key, key trait.Key, rec *trait.Record) {
		if want.unsure[name] {
			return
		}
		w, known := want.Traits[name]
		if !known && b.defs != nil && rec.Seen.Value == nil && !rec.Emitted.Sent {
			return // nothing tells of which definitions it is
		}
		if rec.Seen.SeenAt != w.SeenAt || rec.Seen.Version != w.Version || string(rec.Seen.Value) != w.Value {
			b.t.Errorf("the changelog has %s as %+v, want %+v", name.JSON(), rec.Seen, w)
		}
		id := trait.ChangeID(b.cfg.App, key, &rec.Emitted)
		if rec.Emitted.Sent && hex.EncodeToString(id[:]) != last[name.JSON()] {
			b.t.Errorf("the changelog's last change of %s is %x, want %s", name.JSON(), id, last[name.JSON()])
		}
		found++
	})
	if found != len(want.Traits) {
		b.t.Errorf("the changelog has %d traits, want %d", found, len(want.Traits))
	}
}

// replay returns a task's state as its changelog has it before an offset; -1 is
// the end.
func (b *bubble) replay(task int32, before int64) map[string]string {
	b.t.Helper()
	records := map[string]string{}
	for _, r := range b.read(b.topics.Changelog)[task] {
		switch {
		case before >= 0 && r.Offset >= before:
		case r.Value == nil:
			delete(records, string(r.Key))
		default:
			records[string(r.Key)] = string(r.Value)
		}
	}
	return records
}

// checkState compares a state folder with the changelog: a task's records are
// those of the changelog up to its checkpoint, whoever owns it now.
func (b *bubble) checkState(dir string) {
	b.t.Helper()
	s := b.store(dir)
	defer func() {
		if err := s.Close(); err != nil {
			b.t.Error(err)
		}
	}()
	for task := range b.topics.Tasks {
		cp, ok, err := s.Checkpoint(task)
		if err != nil {
			b.t.Fatal(err)
		}
		want := map[string]string{}
		if ok {
			want = b.replay(task, cp.Next)
		}
		got := map[string]string{}
		for e, err := range s.All(task) {
			if err != nil {
				b.t.Fatal(err)
			}
			got[string(bytes.Clone(e.Key))] = string(e.Value)
		}
		for e, err := range s.TaskRecords(task) {
			if err != nil {
				b.t.Fatal(err)
			}
			got[string(bytes.Clone(e.Key))] = string(e.Value)
		}
		if !maps.Equal(got, want) {
			b.t.Errorf("%s holds %d records of task %d, which are not the %d of the changelog before %d", dir, len(got), task, len(want), cp.Next)
		}
	}
}

// checkLetters compares the dead letters.
func (b *bubble) checkLetters(want *truth) {
	b.t.Helper()
	var got, expected []string
	for _, records := range b.read(b.topics.DeadLetters) {
		for _, r := range records {
			h := map[string]string{}
			for _, header := range r.Headers {
				h[header.Key] = string(header.Value)
			}
			got = append(got, fmt.Sprintf("%s/%s/%s %s %s", h[schemas.HeaderErrorTopic], h[schemas.HeaderErrorPartition], h[schemas.HeaderErrorOffset],
				h[schemas.HeaderErrorReason], r.Value))
		}
	}
	for _, d := range want.DeadLetters {
		expected = append(expected, fmt.Sprintf("%s/%d/%d %s %s", d.Record.Topic, d.Record.Partition, d.Record.Offset, d.Reason, d.Value))
	}
	slices.Sort(got)
	slices.Sort(expected)
	if !slices.Equal(got, expected) {
		b.t.Errorf("the dead letters are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(expected, "\n"))
	}
}
