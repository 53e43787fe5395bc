package processor

import (
	"testing"

	"traitstream/schemas"
)

// What was committed of a topic that was deleted says nothing of the one that was
// created in its place.
func TestCaughtUpWithAnotherTopic(t *testing.T) {
	w := newWorld(t, "", 1)
	w.put(w.webhook("u", "f", "on", 0))
	w.commit(partition{"impressions", 0}, 5, schemas.OffsetNote{Owner: "x", Topic: "other"}.String())
	o := &Options{Fleet: *w.fleet()}
	m, err := o.Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, _, err := m.Lag(t.Context(), "impressions", 0); err != nil || n != 1 {
		t.Errorf("the lag is %d, %v, want 1", n, err)
	}
	w.member("").drain()
	if got := w.changes(); len(got) != 1 {
		t.Errorf("caught up with the changes %v", got)
	}
}
