package verify

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// victim is the trait that is tampered with: it was off, then on.
var victim = trait.Key{Identity: impression.User, User: []byte("u3"), Trait: []byte("f")}

// records returns those of a topic with a key.
func (w *world) records(topic kafka.Topic, key []byte) (found []*kgo.Record) {
	w.t.Helper()
	v := verifier{o: Options{Client: w.client, Topics: w.topics}}
	logs, err := kafka.Logs(w.limit(), v.o.Client, topic.Name)
	noError(w.t, err)
	for number, log := range logs {
		noError(w.t, kafka.ReadPartition(w.limit(), w.client, topic.Name, number, log.From, log.To, func(r *kgo.Record) error {
			if bytes.Equal(r.Key, key) {
				found = append(found, r)
			}
			return nil
		}))
	}
	return found
}

// logged returns the victim's record in the changelog.
func (w *world) logged() trait.Record {
	w.t.Helper()
	all := w.records(w.topics.Changelog, schemas.AppendStateKey(nil, victim))
	var rec trait.Record
	noError(w.t, schemas.DecodeRecord(all[len(all)-1].Value, &rec))
	return rec
}

// log puts a record of the victim into the changelog, or a tombstone.
func (w *world) log(rec *trait.Record) {
	w.t.Helper()
	r := &kgo.Record{Topic: w.topics.Changelog.Name, Partition: w.task(), Key: schemas.AppendStateKey(nil, victim)}
	if rec != nil {
		r.Value = schemas.AppendRecord(nil, rec)
	}
	w.put(r)
}

// task is that of the victim.
func (w *world) task() int32 { return kafka.Partition(victim.User, w.topics.Tasks) }

// sent returns the victim's changes.
func (w *world) sent() []*kgo.Record {
	w.t.Helper()
	return w.records(w.topics.Traits, schemas.AppendKey(nil, victim))
}

// send puts a change of the victim into the traits topic as the program would.
func (w *world) send(e *trait.Emission) {
	w.t.Helper()
	id := trait.ChangeID(w.cfg.App, victim, e)
	r := &kgo.Record{Topic: w.topics.Traits.Name, Partition: w.task(), Key: schemas.AppendKey(nil, victim)}
	if e.Value != nil {
		r.Value = schemas.AppendValue(nil, victim, e, id)
	}
	for _, h := range schemas.ChangeHeaders(w.cfg.App, e, id) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	w.put(r)
}

// again returns a record as one that can be produced.
func again(r *kgo.Record) *kgo.Record {
	return &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: slices.Clone(r.Headers)}
}

// change changes the local state.
func (w *world) change(fn func(b *state.Batch)) {
	w.t.Helper()
	s := w.store()
	b := s.NewBatch()
	fn(b)
	noError(w.t, b.Commit())
	noError(w.t, s.Close())
}

// first returns the emission of the victim's first change, with the place and
// the time of its impression.
func (w *world) first() trait.Emission {
	w.t.Helper()
	c, err := schemas.DecodeValue(w.sent()[0].Value)
	noError(w.t, err)
	c.Emission.Facts.Place.Timestamp = c.Emission.SeenAt
	return c.Emission
}

// wrong are ways to break what a run has made, and what each of them is called.
var wrong = map[string]struct {
	kind Kind
	says string
	do   func(w *world)
}{
	"a wrong value in the traits topic": {WrongTopic, `the traits topic says "new" (seen 2026-03-02T12:00:01.000Z, impressions `, func(w *world) {
		e := w.logged().Emitted
		e.Previous, e.Value = e.Value, []byte(`"new"`)
		w.send(&e)
	}},
	"a removal in the traits topic": {WrongTopic, `the traits topic says nothing, recomputed "on" (seen 2026-03-02T12:00:02.000Z, impressions `, func(w *world) {
		e := w.logged().Emitted
		removal := trait.Emission{Sent: true, Reason: "not_served", Removes: trait.ChangeID(w.cfg.App, victim, &e)}
		w.send(&removal)
	}},
	"a removal without headers": {WrongTopic, "the traits topic says nothing", func(w *world) {
		w.put(&kgo.Record{Topic: w.topics.Traits.Name, Partition: w.task(), Key: schemas.AppendKey(nil, victim)})
	}},
	"a value changed in the changelog": {WrongChangelog, `the changelog says "new" (seen 2026-03-02T12:00:02.000Z), recomputed "on"`, func(w *world) {
		rec := w.logged()
		rec.Seen.Value, rec.Seen.Treatment = []byte(`"new"`), []byte("new")
		w.log(&rec)
	}},
	"a time changed in the changelog": {WrongChangelog, "12:00:02.001Z", func(w *world) {
		rec := w.logged()
		rec.Seen.SeenAt++
		w.log(&rec)
	}},
	"a removal in the changelog": {WrongChangelog, "the changelog says nothing", func(w *world) { w.log(nil) }},
	"what was sent changed in the changelog": {WrongChangelog, `the changelog says that the last change was "off" (seen 2026-03-02T12:00:01.000Z, impressions `, func(w *world) {
		rec := w.logged()
		rec.Emitted.Value = []byte(`"off"`)
		w.log(&rec)
	}},
	"a label changed in the changelog": {WrongChange, "not the change that the changelog remembers", func(w *world) {
		rec := w.logged()
		rec.Emitted.Facts.Label = []byte("another rule")
		w.log(&rec)
	}},
	"a label changed in both": {WrongChange, "there is no such impression", func(w *world) {
		rec := w.logged()
		rec.Emitted.Facts.Label = []byte("another rule")
		rec.Emitted.Facts.Place.Offset++ // an id of its own
		w.log(&rec)
		off, on := w.first(), rec.Emitted
		off.Previous = on.Value
		w.send(&off)
		w.send(&on)
	}},
	"a change told of a later impression": {WrongChange, "but the change is that of impressions ", func(w *world) {
		// The third impression says "on" again, and has changed nothing.
		rec := w.logged()
		rec.Emitted.Facts.Place.Offset = w.offsets("u3", "f")[2]
		rec.Emitted.Facts.Place.Timestamp += 1000
		rec.Emitted.SeenAt += 1000
		w.log(&rec)
		off, on := w.first(), rec.Emitted
		off.Previous = on.Value
		w.send(&off)
		w.send(&on)
	}},
	"an older impression that has won": {WrongTrait, `the traits topic says "off" (seen 2026-03-02T12:00:00.000Z`, func(w *world) {
		rec := w.logged()
		e := w.first()
		e.Previous = rec.Emitted.Value
		rec.Seen = trait.Register{SeenAt: e.SeenAt, Version: e.Version, Treatment: []byte("off"), Value: e.Value}
		rec.Emitted = e
		w.send(&e)
		w.log(&rec)
	}},
	"an impression that was passed over": {WrongTrait, `the traits topic says "on" (seen 2026-03-02T12:00:01.000Z, impressions `, func(w *world) {
		r := w.webhook("u3", "f", "late", 5000)
		w.put(r)
		offsets := kadm.Offsets{}
		offsets.AddOffset(r.Topic, r.Partition, r.Offset+1, -1)
		noError(w.t, kadm.NewClient(w.client).CommitAllOffsets(w.limit(), w.cfg.Group(), offsets))
	}},
	"a change that was sent twice": {WrongChain, "the same again", func(w *world) {
		all := w.sent()
		w.put(again(all[len(all)-1]))
	}},
	"changes to and fro": {WrongChain, "its 4 changes in the traits topic are not the 2 that its impressions make", func(w *world) {
		all, off := w.sent(), w.first()
		off.Previous = []byte(`"on"`)
		w.send(&off)
		w.put(again(all[len(all)-1]))
	}},
	"a change that does not go on": {WrongChain, `previous is "new", but the change before says "on"`, func(w *world) {
		all, off := w.sent(), w.first()
		off.Previous = []byte(`"new"`)
		w.send(&off)
		w.put(again(all[len(all)-1]))
	}},
	"an id of its own": {WrongID, "is not the one that follows", func(w *world) {
		all, off := w.sent(), w.first()
		off.Previous = []byte(`"on"`)
		r := again(all[0])
		r.Value = schemas.AppendValue(nil, victim, &off, [16]byte{1})
		r.Headers[0].Value = []byte("01" + strings.Repeat("0", 30))
		w.put(r, again(all[len(all)-1]))
	}},
	"two ids": {WrongRecord, "two ids", func(w *world) {
		all, off := w.sent(), w.first()
		off.Previous = []byte(`"on"`)
		r := again(all[0])
		r.Value = schemas.AppendValue(nil, victim, &off, [16]byte{1})
		w.put(r, again(all[len(all)-1]))
	}},
	"a change without headers": {WrongRecord, "change_id is missing", func(w *world) {
		all, off := w.sent(), w.first()
		off.Previous = []byte(`"on"`)
		r := again(all[0])
		r.Headers = nil
		r.Value = schemas.AppendValue(nil, victim, &off, trait.ChangeID(w.cfg.App, victim, &off))
		w.put(r, again(all[len(all)-1]))
	}},
	"a value that is none": {WrongRecord, "reading the value of a change", func(w *world) {
		r := again(w.sent()[0])
		r.Value = []byte("{}")
		w.put(r)
	}},
	"a key with a blank": {WrongRecord, "canonical form", func(w *world) {
		r := again(w.sent()[0])
		r.Key = []byte(strings.Replace(string(r.Key), ",", ", ", 1))
		w.put(r)
	}},
	"a change in another partition": {WrongPartition, "its user belongs to", func(w *world) {
		r := again(w.sent()[0])
		r.Partition = (r.Partition + 1) % w.topics.Tasks
		w.put(r)
	}},
	"state in another partition": {WrongPartition, "its user belongs to", func(w *world) {
		rec := w.logged()
		w.put(&kgo.Record{
			Topic: w.topics.Changelog.Name, Partition: (w.task() + 1) % w.topics.Tasks,
			Key: schemas.AppendStateKey(nil, victim), Value: schemas.AppendRecord(nil, &rec),
		})
	}},
	"a changelog that can't be read": {WrongRecord, "malformed record of state", func(w *world) {
		w.put(&kgo.Record{Topic: w.topics.Changelog.Name, Partition: w.task(), Key: schemas.AppendStateKey(nil, victim), Value: []byte("?")})
	}},
	"a key of the changelog that is none": {WrongRecord, "malformed state key", func(w *world) {
		w.put(&kgo.Record{Topic: w.topics.Changelog.Name, Key: []byte("?"), Value: []byte("?")})
	}},
	"a changelog of a newer release": {WrongRecord, "has version 103", func(w *world) {
		w.put(&kgo.Record{Topic: w.topics.Changelog.Name, Partition: w.task(), Key: schemas.AppendStateKey(nil, victim), Value: []byte("garbage")})
	}},
	"a trait of nobody in the changelog": {WrongChangelog, "recomputed nothing", func(w *world) {
		rec := w.logged()
		key := trait.Key{Identity: impression.User, User: victim.User, Trait: []byte("none such")}
		rec.Emitted = trait.Emission{}
		w.put(&kgo.Record{Topic: w.topics.Changelog.Name, Partition: w.task(), Key: schemas.AppendStateKey(nil, key), Value: schemas.AppendRecord(nil, &rec)})
	}},
	"a record changed in the state": {WrongState, "not what the changelog said", func(w *world) {
		rec := w.logged()
		rec.Seen.SeenAt++
		w.change(func(b *state.Batch) {
			b.Put(w.task(), schemas.AppendStateKey(nil, victim), schemas.AppendRecord(nil, &rec))
		})
	}},
	"a record missing in the state": {WrongState, "and not in the state", func(w *world) {
		w.change(func(b *state.Batch) { b.Delete(w.task(), schemas.AppendStateKey(nil, victim)) })
	}},
	"a record of nobody in the state": {WrongState, "and not in the changelog", func(w *world) {
		rec := w.logged()
		key := trait.Key{Identity: impression.User, User: victim.User, Trait: []byte("none such")}
		w.change(func(b *state.Batch) {
			b.Put(w.task(), schemas.AppendStateKey(nil, key), schemas.AppendRecord(nil, &rec))
		})
	}},
	"a checkpoint beyond the changelog": {WrongState, "of the changelog, which ends at", func(w *world) {
		w.change(func(b *state.Batch) {
			b.SetCheckpoint(w.task(), state.Checkpoint{Next: 1_000_000, Committed: time.UnixMilli(noon)})
		})
	}},
}

// offsets are those of a user's impressions of a flag.
func (w *world) offsets(user, flag string) (all []int64) {
	w.t.Helper()
	for _, r := range w.records(w.topics.Sources[w.cfg.Sources[0].Topic], []byte(user)) {
		if bytes.Contains(r.Value, []byte(`"split":"`+flag+`"`)) {
			all = append(all, r.Offset)
		}
	}
	return all
}

// Each corruption is found, as what it is and as nothing else.
func TestCorruptions(t *testing.T) {
	t.Parallel()
	for name, c := range wrong {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", 3)
			w.fill()
			c.do(w)
			r, all := w.verify()
			if len(all) != 1 || all[0].Kind != c.kind || !strings.Contains(all[0].Message, c.says) || r.Differences != 1 {
				t.Errorf("found %d differences: %+v; want one of kind %s with %q", r.Differences, all, c.kind, c.says)
			}
		})
	}
}

// What can't be read and was removed or replaced since is no difference.
func TestRemovedForeignRecords(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	rec := w.logged()
	foreign := func(key, value []byte) {
		w.put(&kgo.Record{Topic: w.topics.Changelog.Name, Partition: w.task(), Key: key, Value: value})
	}
	foreign([]byte("?"), []byte("?"))
	foreign(schemas.AppendStateKey(nil, victim), []byte("garbage"))
	if r, _ := w.verify(); r.Differences != 2 {
		t.Errorf("there are %d differences, want 2", r.Differences)
	}
	foreign([]byte("?"), nil)
	w.log(&rec)
	w.clean()
}
