package processor

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// The group goes on, and empties the inbox, between the look at its offsets and
// the look for the first record after them.
func TestInboxIsEmptiedWhileItIsLookedAt(t *testing.T) {
	for name, to := range map[string]int64{"of some": 5, "of all": 10} {
		t.Run(name, func(t *testing.T) {
			w, _ := newFaultyWorld(t, "", 1)
			inbox := w.topics.Inbox.Name
			for i := range 10 {
				r := impressionRecord(fmt.Sprintf("u%d", i), "f", "on", 0)
				r.Topic = inbox
				w.put(r)
			}
			o := &Options{Client: w.client, Config: w.cfg, Topics: w.topics}
			m, err := o.measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			done := kadm.Offsets{}
			done.AddOffset(inbox, 0, to, -1)
			if _, err := kadm.NewClient(w.client).DeleteRecords(t.Context(), done); err != nil {
				t.Fatal(err)
			}
			n, _, err := m.lag(t.Context(), inbox, 0)
			if err != nil || n != 10-to {
				t.Errorf("the lag is %d, %v; want %d", n, err, 10-to)
			}
			waiting := waiting{o: o, topics: []string{inbox}, places: kadm.Offsets{}}
			reached, err := waiting.reached(t.Context(), m, inbox, 0, 10)
			if err != nil || reached != (to == 10) {
				t.Errorf("the end is reached: %t, %v", reached, err)
			}
		})
	}
}
