package processor

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A task of which nothing is known, as after its changelog was created again, is
// computed by the definitions in force, not by the first ones.
func TestPlanOfNewTask(t *testing.T) {
	m := newWorld(t, "", 1).member("")
	defer m.close()
	m.o.Generation = 3
	of := &task{number: 0}
	r, err := m.o.removalsOf(of)
	if err != nil {
		t.Fatal(err)
	}
	w := m.workers[0]
	w.renew()
	if p, err := w.planOf(t.Context(), of, r.definitions); p != nil || err != nil {
		t.Errorf("its plan is %+v, %v", p, err)
	}
}

// What was read by definitions that are over is forgotten with them.
func TestReadingsAreForgotten(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 1)
		p := b.start(t.TempDir(), nil)
		for i := range 6 {
			in.put(30)
			b.define(variants[i%2+1], 0)
			b.inForce()
		}
		b.pass(10 * time.Second)
		b.settle()
		for _, w := range p.workers {
			if n := len(w.in.readings); n > 1+2*len(w.plans) {
				b.t.Errorf("%d readings for %d plans", n, len(w.plans))
			}
		}
	})
}

// A source that is deleted, or has yet to be created again, keeps no task from other
// definitions: they are computed from the other sources' history.
func TestHistoryBesideASourceThatIsGone(t *testing.T) {
	world := newWorld(t, "sources: [{topic: a}, {topic: b}]", 1)
	m := world.member("")
	defer m.close()
	w, adm := m.workers[0], kadm.NewClient(world.client)
	w.renew()
	w.seat = &seat{ledger: &ledger{}}
	if err := world.client.ProduceSync(t.Context(), &kgo.Record{Topic: "a", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	read := kadm.Offsets{}
	read.AddOffset("a", 0, 1, -1)
	read.AddOffset("b", 0, 1, -1)
	if err := adm.CommitAllOffsets(t.Context(), world.cfg.Group(), read); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.DeleteTopic(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.o.Client, err = kgo.NewClient(world.connect...); err != nil { // the other one still knows it
		t.Fatal(err)
	}
	defer w.o.Client.Close()
	history, err := w.historyOf(t.Context(), 0, nil)
	if err != nil || len(history) != 1 || history[0].Topic != "a" || history[0].To != 1 {
		t.Errorf("%+v, %v", history, err)
	}
}
