package processor

import (
	"testing"
	"time"
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
