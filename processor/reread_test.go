package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

const lateYAML = `
sources: [{topic: a}, {topic: b}]
traits: [{name: "{split}"}]
output: {partitions: 1}
processor: {session_timeout: 6s, workers: 1, flush_interval: 1h}
`

// from is an impression of user u in partition 0 of a source.
func from(topic, treatment string, seenAt int64) *kgo.Record {
	r := impressionRecord("u", "f", treatment, seenAt)
	r.Topic = topic
	return r
}

// strayed is one that goes through the inbox.
func strayed(treatment string, seenAt int64) *kgo.Record {
	r := from("b", treatment, seenAt)
	r.Partition = 1
	return r
}

// under is the bubble's world as another configuration sees it.
func (b *bubble) under(yaml string) {
	b.t.Helper()
	b.world = newWorldAt(b.t, yaml, 1, b.cluster.ListenAddrs(), kgo.Dialer(b.net.DialContext))
}

// loggedSeen returns when the changelog says that user u was last seen, ms after
// noon; -1 if it does not know the user.
func (b *bubble) loggedSeen() int64 {
	b.t.Helper()
	at := int64(-1)
	for _, r := range b.read(b.topics.Changelog)[0] {
		if key, err := schemas.DecodeStateKey(r.Key); err != nil || string(key.User) != "u" {
			continue
		}
		var rec trait.Record
		if err := schemas.DecodeRecord(r.Value, &rec); err != nil {
			b.t.Fatal(err)
		}
		at = rec.Seen.SeenAt - noon
	}
	return at
}

// marks are those that the group keeps, by input.
func (b *bubble) marks() map[partition]schemas.Mark {
	b.t.Helper()
	all := map[partition]schemas.Mark{}
	for _, p := range []partition{{"a", 0}, {"b", 0}, {b.topics.Inbox.Name, 0}} {
		if note, _ := b.note(p); note.Mark != (schemas.Mark{}) {
			all[p] = note.Mark
		}
	}
	return all
}

// A last-seen time that was moved, and neither logged nor written to a disk when
// the process was killed, is known to whoever comes next: an impression that is
// older changes nothing. So it is after a change of the configuration, which does
// not count for what was read before.
func TestMovesSurviveAKill(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		move func(treatment string, seenAt int64) *kgo.Record
		yaml string
	}{
		"of a source":        {func(treatment string, at int64) *kgo.Record { return from("a", treatment, at) }, ""},
		"of the inbox":       {strayed, ""},
		"other workers":      {strayed, strings.Replace(lateYAML, "workers: 1", "workers: 2", 1)},
		"a former source":    {func(treatment string, at int64) *kgo.Record { return from("b", treatment, at) }, strings.Replace(lateYAML, ", {topic: b}", "", 1)},
		"a narrower trait":   {strayed, strings.Replace(lateYAML, `"{split}"`, `"{split}", where: {splitVersionNumber: 8}`, 1)},
		"a stricter clock":   {func(treatment string, at int64) *kgo.Record { return from("a", treatment, at) }, strings.Replace(lateYAML, "workers: 1", "workers: 1, max_clock_ahead: 0s", 1)},
		"moves not deferred": {strayed, strings.Replace(lateYAML, "flush_interval: 1h", "flush_interval: 0s", 1)},
	} {
		for _, kept := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, folder kept: %v", name, kept), func(t *testing.T) {
				t.Parallel()
				inBubble(t, lateYAML, map[string]int32{"a": 1, "b": 2}, func(b *bubble) { moveAndKill(b, c.move, c.yaml, kept) })
			})
		}
	}
}

// moveAndKill moves a time and kills the process; another one, under a
// configuration of its own if it is given one, meets an impression that is older.
func moveAndKill(b *bubble, move func(treatment string, seenAt int64) *kgo.Record, yaml string, kept bool) {
	b.put(from("a", "on", 10))
	p := b.start(b.t.TempDir(), nil)
	b.caughtUp(b.t.Context())
	early := move("on", 30)
	early.Timestamp = early.Timestamp.Add(-time.Second) // within max_clock_ahead
	b.put(early)
	b.caughtUp(b.t.Context())
	if got := b.loggedSeen(); got != 10 {
		b.t.Fatalf("the changelog says %d already", got)
	}
	b.kill(p)
	dir := p.dir
	if !kept {
		dir = b.t.TempDir()
	}
	if yaml != "" {
		b.under(yaml)
	}
	p = b.start(dir, nil) // and killed again, when it has committed something else
	until(b.t, "it is ready", p.Ready)
	for topic, source := range b.topics.Sources {
		r := impressionRecord("w", topic, "on", 0)
		r.Topic, r.Partition = topic, source.Partitions-1
		b.put(r)
	}
	b.caughtUp(b.t.Context())
	b.kill(p)
	b.pass(10 * time.Second)
	late := from("a", "off", 20)
	late.Value = []byte(strings.Replace(string(late.Value), `Number":7`, `Number":8`, 1))
	late.Timestamp = late.Timestamp.Add(time.Second)
	b.put(late)
	p = b.start(dir, nil)
	b.caughtUp(b.t.Context())
	if err := b.end(p); err != nil {
		b.t.Fatal(err)
	}
	if got := b.changes()["user/u/f"]; !slices.Equal(got, []string{`"on"`}) {
		b.t.Errorf("the changes are %v", got)
	}
	if got, marks := b.loggedSeen(), b.marks(); got != 30 || len(marks) > 0 {
		b.t.Errorf("the changelog says %d in the end, and there are the marks %v", got, marks)
	}
	b.checkState(dir)
}

// Moves are logged when their time has come, also when nothing else happens, and
// then nothing is read again: the marks go, and the inbox is emptied.
func TestMovesAreLogged(t *testing.T) {
	inBubble(t, strings.Replace(lateYAML, "1h", "30s", 1), map[string]int32{"a": 1, "b": 2}, func(b *bubble) {
		b.put(from("a", "on", 10))
		p := b.start(b.t.TempDir(), nil)
		b.caughtUp(b.t.Context())
		b.put(from("a", "on", 20))
		b.caughtUp(b.t.Context())
		b.put(strayed("on", 30))
		b.caughtUp(b.t.Context())
		b.pass(20 * time.Second)
		want := map[partition]int64{{"a", 0}: 1, {b.topics.Inbox.Name, 0}: 0}
		for q, from := range want {
			if mark := b.marks()[q]; mark.From != from || mark.Rules != p.o.rules.hash {
				t.Errorf("the mark of %v is %+v", q, mark)
			}
		}
		if got := b.loggedSeen(); got != 10 || b.inboxIsEmpty() {
			t.Errorf("the changelog says %d already, and the inbox is empty: %v", got, b.inboxIsEmpty())
		}
		b.pass(20 * time.Second)
		if got, marks := b.loggedSeen(), b.marks(); got != 30 || len(marks) > 0 || !b.inboxIsEmpty() {
			t.Errorf("the changelog says %d, the marks are %v, and the inbox is empty: %v", got, marks, b.inboxIsEmpty())
		}
		if err := b.end(p); err != nil {
			t.Error(err)
		}
	})
}

// A compacted source may lose what would be read again, so its moves are logged
// at once.
func TestMovesOfACompactedSource(t *testing.T) {
	inBubble(t, lateYAML, map[string]int32{"a": 1, "b": 2}, func(b *bubble) {
		a := b.topics.Sources["a"]
		a.Config = map[string]string{"cleanup.policy": "compact"}
		b.topics.Sources["a"] = a
		b.put(from("a", "on", 10))
		p := b.start(b.t.TempDir(), nil)
		b.caughtUp(b.t.Context())
		b.put(from("a", "on", 20))
		b.caughtUp(b.t.Context())
		if got, marks := b.loggedSeen(), b.marks(); got != 20 || len(marks) > 0 {
			t.Errorf("the changelog says %d, and there are the marks %v", got, marks)
		}
		if err := b.end(p); err != nil {
			t.Error(err)
		}
	})
}

// What retention has removed behind a mark is counted, and the rest is read.
func TestMovesThatAreGone(t *testing.T) {
	inBubble(t, lateYAML, map[string]int32{"a": 1, "b": 2}, func(b *bubble) {
		b.put(from("a", "on", 10))
		p := b.start(b.t.TempDir(), nil)
		b.caughtUp(b.t.Context())
		b.put(from("a", "on", 50), from("a", "on", 30), from("a", "on", 40))
		b.caughtUp(b.t.Context())
		b.kill(p)
		deleted := kadm.Offsets{}
		deleted.AddOffset("a", 0, 2, -1)
		if _, err := kadm.NewClient(b.client).DeleteRecords(b.t.Context(), deleted); err != nil {
			t.Fatal(err)
		}
		p = b.start(p.dir, nil)
		until(b.t, "it is ready", p.Ready)
		if n := testutil.ToFloat64(p.o.Metrics.lostRecords); n != 1 {
			t.Errorf("%v records count as lost, want 1", n)
		}
		if err := b.end(p); err != nil {
			t.Error(err)
		}
		if got := b.loggedSeen(); got != 40 {
			t.Errorf("the changelog says %d in the end", got)
		}
	})
}

// Marks whose rules nobody knows any more are not guessed at.
func TestRulesAreGone(t *testing.T) {
	w := newWorld(t, lateYAML, 1)
	w.put(from("a", "on", 10))
	before := w.member("")
	before.o.Leave = true
	before.drain()
	w.commit(partition{"a", 0}, 1, schemas.OffsetNote{Owner: "x", Start: -1, Mark: schemas.Mark{Rules: "0123456789abcdef"}}.String())
	m := w.member("")
	defer m.close()
	err := m.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the rules 0123456789abcdef by which impressions were last read are not in topic traitstream-control") {
		t.Errorf("it ends with %v", err)
	}
}

// Segments that are due go one after the other; what is committed is where each
// of their inputs stands by then, not where it stood.
func TestMarks(t *testing.T) {
	o := &Options{Fleet: fleet.Fleet{Topics: &kafka.Topics{Tasks: 2}}}
	o.Config = newWorld(t, lateYAML, 1).cfg
	o.rules.hash = "now"
	m, now := newMarks(o), time.UnixMilli(noon)
	here := &task{number: 0}
	owns := func(number int32) *task {
		if number == 0 {
			return here
		}
		return nil
	}
	a, b, beyond := partition{"a", 0}, partition{"b", 0}, partition{"b", 1}
	last := int64(0)
	read := func(moves int64, records int, from, to int64, of ...partition) {
		batch := &batch{count: records}
		for _, p := range of {
			batch.spans = append(batch.spans, span{p, kgo.EpochOffset{Offset: to}})
			batch.begins = append(batch.begins, from)
		}
		if moves > 0 {
			last = moves
		}
		m.add(batch, moves > 0, last, owns, now)
	}
	expect := func(what string, p partition, want int64) {
		t.Helper()
		got := m.of(p)
		if marked := got != (schemas.Mark{}); marked != (want >= 0) || marked && got != (schemas.Mark{From: want, Rules: "now"}) {
			t.Errorf("%s: the mark of %v is %+v, want %d", what, p, got, want)
		}
	}
	read(0, 1, 0, 5, a)
	expect("nothing has moved", a, -1)
	read(3, 1, 5, 10, a, beyond)
	read(0, 1, 10, 20, a)
	expect("moved once", a, 5)
	read(3, 1, 0, 7, b) // a record that had moved before
	expect("moved again", b, 0)
	expect("not of a task", beyond, -1)
	now = now.Add(m.interval / 2)
	read(5, 1, 20, 30, a, b)
	if n := m.due(now.Add(m.interval/2 - 1)); n != 0 {
		t.Errorf("%d are due, want none", n)
	}
	if n := m.due(now.Add(m.interval / 2)); n != 1 {
		t.Fatalf("%d are due, want 1", n)
	}
	places := m.places(1)
	m.log(1)
	if len(places) != 2 || places[0].next.Offset != 30 || places[1].next.Offset != 30 {
		t.Errorf("the places are %v", places)
	}
	expect("the first is logged", a, 20)
	expect("the first is logged", b, 20)
	read(6, m.most, 30, 40, a)
	read(7, 1, 40, 50, a)
	if n := m.due(now); n != 1 {
		t.Errorf("%d are due after many records, want 1", n)
	}
	m.forget(0)
	expect("forgotten", a, -1)
	if places := m.places(len(m.segments)); len(places) != 0 {
		t.Errorf("the places are %v", places)
	}
	before := schemas.Mark{From: 60, Rules: "then"}
	m.adopt(here, &reread{places: map[partition]markedPlace{a: {at: kgo.EpochOffset{Offset: 100}, mark: before}}}, 9, now)
	read(10, 1, 100, 110, a)
	if got := m.of(a); got != before {
		t.Errorf("the mark is %+v, want that of the rules before", got)
	}
}

// A restore waits for open transactions of its own task alone: in a busy group
// some are always open.
func TestRereadWaitsForItsOwn(t *testing.T) {
	w, c := newFaultyWorld(t, strings.Replace(lateYAML, "partitions: 1", "partitions: 2", 1), 2)
	m := w.member("")
	defer m.close()
	for number := range int32(2) {
		w.commit(partition{"a", number}, 0, "")
	}
	c.ControlKey(kmsg.OffsetFetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return pendingOffset(r.(*kmsg.OffsetFetchRequest), w.cfg.Group(), partition{"a", 1}), nil, true
	})
	if _, err := m.restorer.reread(t.Context(), 0); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := m.restorer.reread(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the transaction of its own: %v", err)
	}
}

// pendingOffset answers that a transaction is open that commits an offset of one
// partition, and that another one has been committed.
func pendingOffset(r *kmsg.OffsetFetchRequest, group string, pending partition) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.OffsetFetchResponse)
	topic := kmsg.NewOffsetFetchResponseGroupTopic()
	topic.Topic = pending.topic
	for number := range int32(2) {
		p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		p.Partition, p.Offset = number, 0
		if number == pending.number {
			p.ErrorCode = kerr.UnstableOffsetCommit.Code
		}
		topic.Partitions = append(topic.Partitions, p)
	}
	g := kmsg.NewOffsetFetchResponseGroup()
	g.Group, g.Topics = group, append(g.Topics, topic)
	resp.Groups = append(resp.Groups, g)
	return resp
}

// A flush that takes too long is done again in parts, which end with all logged.
func TestFlushInParts(t *testing.T) {
	inBubble(t, lateYAML, map[string]int32{"a": 1, "b": 2}, func(b *bubble) {
		put := func(seenAt int64) {
			for user := range 20 {
				r := impressionRecord(fmt.Sprintf("u%d", user), "f", "on", seenAt)
				r.Topic = "a"
				b.put(r)
			}
			b.caughtUp(b.t.Context())
		}
		var parts atomic.Int64
		p := b.start(b.t.TempDir(), func(p *process) {
			p.workers[0].most = 3
			p.o.at = func(_ int, at boundary) error {
				p.workers[0].most = 3
				if at == applied && p.workers[0].logged > 0 {
					parts.Add(1)
				}
				return nil
			}
		})
		put(10)
		put(20)
		put(30)
		if err := b.end(p); err != nil {
			t.Error(err)
		}
		for _, r := range b.replay(0, -1) {
			var rec trait.Record
			if err := schemas.DecodeRecord([]byte(r), &rec); err != nil || rec.Seen.SeenAt != noon+30 {
				t.Errorf("%+v is logged, %v", rec.Seen, err)
			}
		}
		if n := parts.Load(); n < 7 || len(b.allMarks()) > 0 {
			t.Errorf("it took %d parts, and there are the marks %v", n, b.allMarks())
		}
	})
}

// What a source has lost behind a mark at its end is counted, and the rest is read.
func TestMarksBeyondTheEnd(t *testing.T) {
	w := newWorld(t, lateYAML, 1)
	w.put(from("a", "on", 10), from("a", "on", 20))
	before := w.member("")
	before.o.Leave = true
	before.drain()
	m := w.member("")
	defer m.close()
	if err := m.o.publishRules(t.Context()); err != nil {
		t.Fatal(err)
	}
	note := schemas.OffsetNote{Owner: "x", Start: -1, Mark: schemas.Mark{From: 1, Rules: m.o.rules.hash}}
	w.commit(partition{"a", 0}, 7, note.String())
	if _, err := m.restorer.reread(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if n := testutil.ToFloat64(m.o.Metrics.lostRecords); n != 5 {
		t.Errorf("%v records count as lost, want 5", n)
	}
}
