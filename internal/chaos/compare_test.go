//go:build linux

package chaos

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/impression"
	"traitstream/internal/oracle"
	"traitstream/schemas"
	"traitstream/trait"
)

// compare holds what the topics say against what the sources come to.
func (w *world) compare(ctx context.Context, f *feed) {
	w.t.Helper()
	var records []oracle.Record
	stamps := map[oracle.Place]int64{}
	for _, topic := range []string{web, mobile} {
		w.read(ctx, topic, kgo.ReadCommitted(), func(r *kgo.Record) {
			ms := r.Timestamp.UnixMilli()
			records = append(records, oracle.Record{Topic: topic, Partition: r.Partition, Offset: r.Offset, Timestamp: ms, Key: r.Key, Value: r.Value})
			stamps[oracle.Place{Topic: topic, Partition: r.Partition, Offset: r.Offset}] = ms
		})
	}
	if n := f.acked.Load(); int64(len(records)) != n {
		w.t.Fatalf("the sources hold %d records, but %d were put in", len(records), n)
	}
	want := oracle.Run(sources, definitions, 10*time.Minute, records)
	w.logf("the oracle makes %d changes of %d traits and %d dead letters", len(want.Changes), len(want.Traits), len(want.DeadLetters))
	w.compareTraits(ctx, want, stamps)
	w.compareChangelog(ctx, want)
	w.compareLetters(ctx, want)
}

// differences tells the first few of a kind, and how many there were.
type differences struct {
	w    *world
	what string
	n    int
}

func (d *differences) add(format string, args ...any) {
	d.w.t.Helper()
	if d.n++; d.n <= 5 {
		d.w.t.Errorf("%s: %s", d.what, fmt.Sprintf(format, args...))
	}
}

func (d *differences) tell() {
	d.w.t.Helper()
	if d.n > 5 {
		d.w.t.Errorf("%s: %d differences in all", d.what, d.n)
	}
}

// wanted is a record that the traits topic must hold.
type wanted struct {
	key, value []byte
	id, reason string
	stamp      int64
}

// strict returns what must stand in each partition of the traits topic, in its
// order, of the users whose impressions all lie in their task's own partition.
func strict(changes []oracle.Change, stamps map[oracle.Place]int64) (all [tasks][]wanted) {
	last := map[oracle.Key]*trait.Emission{}
	for _, c := range changes {
		if !strings.HasPrefix(c.Key.User, directPrefix) {
			continue
		}
		key := trait.Key{Identity: impression.User, User: []byte(c.Key.User), Trait: []byte(c.Key.Trait)}
		at := c.Source
		at.Index = 0
		e := &trait.Emission{
			Sent: true, Value: text(c.Value), Previous: text(c.Previous), SeenAt: c.SeenAt, Version: c.FlagVersion,
			Facts: trait.Facts{Flag: []byte(c.Split), Environment: text(c.Environment), Label: text(c.Label), Definition: c.Definition,
				Place: trait.Place{Topic: c.Source.Topic, Partition: c.Source.Partition, Offset: c.Source.Offset, Index: int32(c.Source.Index)}},
		}
		w := wanted{key: []byte(c.Key.JSON()), stamp: stamps[at]}
		if c.Value == "" {
			e.Reason, e.Removes = "not_served", trait.ChangeID(app, key, last[c.Key])
			w.reason = e.Reason
		}
		id := trait.ChangeID(app, key, e)
		if w.id = hex.EncodeToString(id[:]); c.Value != "" {
			w.value = schemas.AppendValue(nil, key, e, id)
		}
		last[c.Key] = e
		p := c.Source.Partition
		all[p] = append(all[p], w)
	}
	return all
}

// text returns nil for what is none.
func text(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// compareTraits is rule S12.
func (w *world) compareTraits(ctx context.Context, want oracle.Result, stamps map[oracle.Place]int64) {
	w.t.Helper()
	missing := strict(want.Changes, stamps)
	exact := differences{w: w, what: "changes of users in their own partition"}
	chain := differences{w: w, what: "changes"}
	last, ids, apart := map[string]string{}, map[string]int64{}, map[int32]bool{}
	w.read(ctx, app+"-traits", kgo.ReadCommitted(), func(r *kgo.Record) {
		if r.Attrs.IsControl() {
			return
		}
		key, id := string(r.Key), header(r, schemas.HeaderChangeID)
		if before, twice := ids[id]; twice || id == "" {
			chain.add("partition %d, offset %d: change id %q was at offset %d already", r.Partition, r.Offset, id, before)
		}
		ids[id] = r.Offset
		value := link(&chain, r, last[key])
		last[key] = value
		if strings.Contains(key, `"id":"`+directPrefix) && !apart[r.Partition] {
			left := &missing[r.Partition]
			if told := next(*left).compare(r); told != "" {
				exact.add("partition %d, offset %d, %d before the end: %s", r.Partition, r.Offset, len(*left), told)
				apart[r.Partition] = true // all that follows would differ too
				return
			}
			*left = (*left)[1:]
		}
	})
	for p, left := range missing {
		if len(left) > 0 && !apart[int32(p)] {
			exact.add("partition %d: the last %d are missing, first %s %s", p, len(left), left[0].key, left[0].value)
		}
	}
	for key, t := range want.Traits {
		if got := last[key.JSON()]; got != t.Value && (got != "null" || t.Value != "") {
			chain.add("%s ends as %s, want %q", key.JSON(), got, t.Value)
		}
	}
	exact.tell()
	chain.tell()
}

// link checks that a change follows the one before it, and returns its value.
func link(d *differences, r *kgo.Record, before string) string {
	d.w.t.Helper()
	value := "null"
	if r.Value != nil {
		var v struct{ Value, Previous json.RawMessage }
		if err := json.Unmarshal(r.Value, &v); err != nil {
			d.add("partition %d, offset %d: %v", r.Partition, r.Offset, err)
		}
		value = string(v.Value)
		if told := string(v.Previous); told != before && (told != "null" || before != "") {
			d.add("partition %d, offset %d: previous is %s, but %q was sent: %s", r.Partition, r.Offset, told, before, r.Value)
		}
	}
	if value == before || value == "null" && before == "" {
		d.add("partition %d, offset %d: %s after %q: %s", r.Partition, r.Offset, value, before, r.Key)
	}
	return value
}

// next returns the first of those that are left, or what equals no record.
func next(left []wanted) wanted {
	if len(left) == 0 {
		return wanted{key: []byte("no more")}
	}
	return left[0]
}

// compare tells in what a record differs, or nothing.
func (a wanted) compare(r *kgo.Record) string {
	switch {
	case !bytes.Equal(r.Key, a.key) || !bytes.Equal(r.Value, a.value) || (r.Value == nil) != (a.value == nil):
		return fmt.Sprintf("got %s %s\nwant %s %s", r.Key, r.Value, a.key, a.value)
	case header(r, schemas.HeaderChangeID) != a.id || header(r, schemas.HeaderReason) != a.reason || header(r, schemas.HeaderApp) != app:
		return fmt.Sprintf("headers are %v, want id %s and reason %q", r.Headers, a.id, a.reason)
	case r.Timestamp.UnixMilli() != a.stamp:
		return fmt.Sprintf("timestamp is %d, want %d", r.Timestamp.UnixMilli(), a.stamp)
	}
	return ""
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// compareChangelog holds what a restore would read against the oracle.
func (w *world) compareChangelog(ctx context.Context, want oracle.Result) {
	w.t.Helper()
	d := differences{w: w, what: "changelog"}
	state := map[oracle.Key]trait.Record{}
	w.read(ctx, app+"-last-seen-changelog", kgo.ReadCommitted(), func(r *kgo.Record) {
		if r.Attrs.IsControl() {
			return
		}
		k, err := schemas.DecodeStateKey(r.Key)
		var rec trait.Record
		if err == nil {
			err = schemas.DecodeRecord(r.Value, &rec)
		}
		if err != nil {
			d.add("partition %d, offset %d: %v", r.Partition, r.Offset, err)
			return
		}
		if task := javaPartition(string(k.User), tasks); task != r.Partition {
			d.add("partition %d, offset %d: %s belongs to task %d", r.Partition, r.Offset, k.User, task)
		}
		state[oracle.Key{Identity: k.Identity.String(), User: string(k.User), Trait: string(k.Trait)}] = rec
	})
	for key, t := range want.Traits {
		rec, ok := state[key]
		s := rec.Seen
		if !ok || s.SeenAt != t.SeenAt || s.Version != t.Version || string(s.Value) != t.Value || string(rec.Emitted.Value) != t.Value {
			d.add("%v: got %d %d %s, sent %s; want %d %d %s", key, s.SeenAt, s.Version, s.Value, rec.Emitted.Value, t.SeenAt, t.Version, t.Value)
		}
	}
	if len(state) != len(want.Traits) {
		d.add("%d traits, want %d", len(state), len(want.Traits))
	}
	d.tell()
}

// compareLetters wants each refused element once.
func (w *world) compareLetters(ctx context.Context, want oracle.Result) {
	w.t.Helper()
	d := differences{w: w, what: "dead letters"}
	left := map[string]int{}
	for _, l := range want.DeadLetters {
		index := ""
		if l.Several {
			index = fmt.Sprint(l.Index)
		}
		left[fmt.Sprintf("%s %d/%d[%s] %s: %s %q", l.Record.Topic, l.Record.Partition, l.Record.Offset, index, l.Stage, l.Reason, l.Value)]++
	}
	w.read(ctx, app+"-dead-letters", kgo.ReadCommitted(), func(r *kgo.Record) {
		if r.Attrs.IsControl() {
			return
		}
		letter := fmt.Sprintf("%s %s/%s[%s] %s: %s %q", header(r, schemas.HeaderErrorTopic), header(r, schemas.HeaderErrorPartition),
			header(r, schemas.HeaderErrorOffset), header(r, schemas.HeaderErrorIndex), header(r, schemas.HeaderErrorStage),
			header(r, schemas.HeaderErrorReason), r.Value)
		if left[letter]--; left[letter] < 0 {
			d.add("not wanted, or not again: %s", letter)
		}
	})
	for letter, n := range left {
		if n > 0 {
			d.add("missing: %s", letter)
		}
	}
	d.tell()
}
