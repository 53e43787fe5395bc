package processor

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/schemas"
)

// A committed offset counts for the topic that its note names: a source that was
// created again is read from its start, whoever has seen the old one.
func TestPlaceInAnotherTopic(t *testing.T) {
	for name, c := range map[string]struct {
		note func(id string) string
		want int
	}{
		"another topic":    {func(string) string { return schemas.OffsetNote{Owner: "x", Topic: "other"}.String() }, 3},
		"the same topic":   {func(id string) string { return schemas.OffsetNote{Owner: "x", Topic: id}.String() }, 1},
		"no id in it":      {func(string) string { return schemas.OffsetNote{Owner: "x"}.String() }, 1},
		"of somebody else": {func(string) string { return "metadata" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "", 1)
			for i := range 3 {
				w.put(w.webhook("u", "f", fmt.Sprintf("v%d", i), int64(i)))
			}
			m := w.member("")
			ids, _, err := m.o.TopicIDs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w.commit(partition{"impressions", 0}, 2, c.note(ids["impressions"]))
			m.drain()
			if got := w.changes()["user/u/f"]; len(got) != c.want {
				t.Errorf("the changes are %v, want %d", got, c.want)
			}
			note, ok := w.note(partition{"impressions", 0})
			if !ok || note.Topic != ids["impressions"] || note.Owner != m.o.transactionalID(m.o.Instance.Name) {
				t.Errorf("the note says %+v", note)
			}
		})
	}
}

// A partition is claimed, with where it is read from, before anything of it is
// committed.
func TestClaim(t *testing.T) {
	w := newWorld(t, "", 1)
	for i := range 3 {
		w.put(w.webhook("u", "f", "on", int64(i)))
	}
	deleted := kadm.Offsets{}
	deleted.AddOffset("impressions", 0, 1, -1)
	if _, err := kadm.NewClient(w.client).DeleteRecords(t.Context(), deleted); err != nil {
		t.Fatal(err)
	}
	m := w.member("")
	m.drain()
	for _, p := range []partition{{"impressions", 0}, {w.topics.Inbox.Name, 0}} {
		note, ok := w.note(p)
		if want := int64(1); p.topic == "impressions" && (!ok || note.Start != want) || !ok {
			t.Errorf("%s: the note says %+v", p.topic, note)
		}
	}
}

// commit commits an offset for the group from outside, with metadata.
func (w *world) commit(p partition, at int64, metadata string) {
	w.t.Helper()
	place := kadm.Offsets{}
	place.Add(kadm.Offset{Topic: p.topic, Partition: p.number, At: at, LeaderEpoch: -1, Metadata: metadata})
	if err := kadm.NewClient(w.client).CommitAllOffsets(w.t.Context(), w.cfg.Group(), place); err != nil {
		w.t.Fatal(err)
	}
}

// note returns what the group keeps beside an offset.
func (w *world) note(p partition) (schemas.OffsetNote, bool) {
	w.t.Helper()
	known, err := kadm.NewClient(w.client).FetchOffsetsForTopics(w.t.Context(), w.cfg.Group(), p.topic)
	if err != nil {
		w.t.Fatal(err)
	}
	o, _ := known.Lookup(p.topic, p.number)
	return schemas.ParseOffsetNote(o.Metadata)
}
