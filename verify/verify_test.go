package verify

import (
	"testing"
)

// What was processed is as it must be, and all of it was looked at.
func TestCleanAfterARun(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	r := w.clean()
	if r.Impressions != 48 || r.Traits != 16 || r.Changes != 32 || r.State != 16 || r.InFlux != 0 || len(r.Unverifiable) != 0 {
		t.Errorf("%+v", r)
	}
}
