package verify

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/kafka"
	"traitstream/schemas"
)

// cutLogs deletes the records of a topic before an offset, or before the end of
// shorter partitions.
func (w *world) cutLogs(topic string, before int64) {
	w.t.Helper()
	v := verifier{o: Options{Client: w.client}}
	logs, err := kafka.Logs(w.limit(), v.o.Client, topic)
	noError(w.t, err)
	offsets := kadm.Offsets{}
	for number, log := range logs {
		offsets.AddOffset(topic, number, min(before, log.To-1), -1)
	}
	deleted, err := kadm.NewClient(w.client).DeleteRecords(w.limit(), offsets)
	noError(w.t, err)
	noError(w.t, deleted.Error())
}

func (w *world) unverifiable(want map[Reason]int64, options ...func(*Options)) {
	w.t.Helper()
	if r := w.clean(options...); !maps.Equal(r.Unverifiable, want) {
		w.t.Errorf("not verifiable: %v of %d traits, want %v", r.Unverifiable, r.Traits, want)
	}
}

// What retention has removed can't be recomputed, and is no difference; but what
// is left may still show that a trait is behind.
func TestLogStartMoved(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	source := w.cfg.Sources[0].Topic
	w.cutLogs(source, 1_000_000)
	// Of each partition the last record is left, whose trait was last changed
	// by one that is gone.
	w.unverifiable(map[Reason]int64{BeforeLog: 16})
	// A register that can be from nowhere but a record that is gone.
	wrong["a time changed in the changelog"].do(w)
	w.unverifiable(map[Reason]int64{BeforeLog: 16})

	wrong["an impression that was passed over"].do(w)
	if _, all := w.verify(); len(all) != 1 || all[0].Kind != WrongTrait || all[0].Recomputed != `"late"` {
		t.Errorf("found %+v, want the trait that is behind", all)
	}
}

// Retention is faster than the verification.
func TestLogStartMovesMeanwhile(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	w.unverifiable(map[Reason]int64{BeforeLog: 16}, func(o *Options) {
		o.Progress = func(stage string, done, total int64) {
			if stage == StageOutputs && done == total {
				w.cutLogs(w.cfg.Sources[0].Topic, 1_000_000)
			}
		}
	})
}

// The group began at the end of what was there. That it did is told by the notes
// beside its offsets; without them each impression may have counted or not.
func TestFromLatest(t *testing.T) {
	w := newWorld(t, "sources: [{topic: impressions, from: latest}]", 3)
	for user := range 8 {
		w.put(w.webhook(fmt.Sprintf("u%d", user), "f", "before", 9_000))
	}
	w.run()
	if r := w.clean(); r.Traits != 0 {
		t.Errorf("%+v, want no traits yet", r)
	}
	w.fill()
	if r := w.clean(); r.Traits != 16 || len(r.Unverifiable) != 0 {
		t.Errorf("%+v", r)
	}
	w.forgetNotes()
	w.unverifiable(map[Reason]int64{BeforeGroup: 16})
	wrong["a wrong value in the traits topic"].do(w)
	if _, all := w.verify(); len(all) != 1 || all[0].Kind != WrongTopic {
		t.Errorf("found %+v, want what no impression says", all)
	}
}

// forgetNotes commits the group's offsets again without notes.
func (w *world) forgetNotes() {
	w.t.Helper()
	w.note(func(kadm.Offset) string { return "" })
}

// note commits the group's offsets of the sources again with other notes.
func (w *world) note(fn func(kadm.Offset) string) {
	w.t.Helper()
	adm := kadm.NewClient(w.client)
	committed, err := adm.FetchOffsets(w.limit(), w.cfg.Group())
	noError(w.t, err)
	offsets := kadm.Offsets{}
	committed.Each(func(o kadm.OffsetResponse) {
		if _, ok := w.topics.Sources[o.Topic]; ok {
			o.Metadata = fn(o.Offset)
			offsets.Add(o.Offset)
		}
	})
	noError(w.t, adm.CommitAllOffsets(w.limit(), w.cfg.Group(), offsets))
}

// A topic that was created anew since the group committed has nothing that was
// processed, and took with it what was.
func TestRecreatedSource(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	w.note(func(kadm.Offset) string { return schemas.OffsetNote{Owner: "x", Topic: "another", Start: 0}.String() })
	w.unverifiable(map[Reason]int64{BeforeLog: 16})
}

// A group that began in the middle has traits of before that only from another
// group, such as an earlier one of its name.
func TestBeforeGroup(t *testing.T) {
	w := newWorld(t, "", 1)
	w.fill()
	w.note(func(o kadm.Offset) string { return schemas.OffsetNote{Owner: "x", Start: o.At}.String() })
	w.unverifiable(map[Reason]int64{BeforeGroup: 16})
}

// Traits whose definition or source left the configuration stay as they are.
func TestGone(t *testing.T) {
	w := newWorld(t, `
sources: [{topic: a}, {topic: b}]
traits: [{name: "{split}"}, {name: "old {split}"}]
`, 3)
	w.fill()
	for user := range 3 {
		r := w.webhook(fmt.Sprintf("v%d", user), "f", "on", 0)
		r.Topic = "b"
		w.put(r)
	}
	w.run()
	if r := w.clean(); r.Traits != 38 || len(r.Unverifiable) != 0 {
		t.Errorf("%+v", r)
	}
	w.configure("sources: [{topic: a}]")
	w.unverifiable(map[Reason]int64{DefinitionGone: 19, SourceGone: 3})
}

// What was refused since its change was too large is not missed.
func TestTooLarge(t *testing.T) {
	w := newWorld(t, "output: {config: {max.message.bytes: 4000}}", 3)
	w.put(w.webhook("u1", "f", "on", 0), w.webhook("u2", "f", strings.Repeat("x", 5000), 0), w.webhook("u1", "f", strings.Repeat("y", 5000), 1000))
	w.run()
	w.unverifiable(map[Reason]int64{Refused: 2})
}

// What differs at the first look alone is no difference.
func TestSettled(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	good := w.logged()
	wrong["a removal in the changelog"].do(w)
	r := w.clean(func(o *Options) {
		o.Progress = func(stage string, done, total int64) {
			if stage == StageSources && done == total {
				w.log(&good)
			}
		}
	})
	if r.Settled != 1 || r.Differences != 0 {
		t.Errorf("%+v", r)
	}
}

// An inbox that was emptied of what is needed asks for a new cut, as long as it
// is the group who does so.
func TestTrimmedInbox(t *testing.T) {
	w := newWorld(t, "", 3)
	for user := range 8 {
		w.put(w.elsewhere(w.webhook(fmt.Sprintf("u%d", user), "f", "on", 0)))
	}
	w.run()
	v := verifier{o: Options{Client: w.client, Topics: w.topics, Config: w.cfg}}
	all := []int32{0, 1, 2}
	if places, err := v.waiting(w.limit(), all, nil, false); err != nil || len(places) != 8 {
		t.Errorf("%v, %v; want all eight that were forwarded", places, err)
	}
	w.cutLogs(w.topics.Inbox.Name, 2)
	if _, err := v.waiting(w.limit(), all, nil, false); !errors.Is(err, errTrimmed) {
		t.Errorf("%v, want %v", err, errTrimmed)
	}
	if places, err := v.waiting(w.limit(), all, nil, true); err != nil || len(places) == 8 || len(places) == 0 {
		t.Errorf("%v, %v; want what is left", places, err)
	}
	w.clean()
}
