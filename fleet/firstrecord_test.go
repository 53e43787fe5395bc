package fleet

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The group goes on, and empties the inbox, between the look at its offsets and
// the look for the first record after them.
func TestInboxIsEmptiedWhileItIsLookedAt(t *testing.T) {
	for name, to := range map[string]int64{"of some": 5, "of all": 10} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "", 1)
			inbox := w.Topics.Inbox.Name
			for i := range 10 {
				w.put(t, &kgo.Record{Topic: inbox, Key: fmt.Appendf(nil, "u%d", i), Value: []byte("{}")})
			}
			m, err := w.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			done := kadm.Offsets{}
			done.AddOffset(inbox, 0, to, -1)
			if _, err := kadm.NewClient(w.Client).DeleteRecords(t.Context(), done); err != nil {
				t.Fatal(err)
			}
			n, _, err := m.Lag(t.Context(), inbox, 0)
			if err != nil || n != 10-to {
				t.Errorf("the lag is %d, %v; want %d", n, err, 10-to)
			}
			waiting := w.Wait(inbox)
			reached, err := waiting.reached(t.Context(), m, inbox, 0, 10)
			if err != nil || reached != (to == 10) {
				t.Errorf("the end is reached: %t, %v", reached, err)
			}
		})
	}
}

// The first record is found behind any number of offsets that hold none.
func TestFirstRecordBehindAborted(t *testing.T) {
	w := newWorld(t, "", 1)
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.TransactionalID("other"), kgo.RecordPartitioner(kgo.ManualPartitioner())}, w.connect...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	end := int64(0)
	for _, how := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range 20 * firstLook {
			r := &kgo.Record{Topic: "impressions", Value: []byte("{}")}
			if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			end = r.Offset + 1
		}
		if err := cl.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	const marker = 1
	for to, want := range map[int64]bool{end: true, 20 * firstLook: false, 20*firstLook + marker: false, 20*firstLook + marker + 1: true} {
		first, err := w.FirstRecord(t.Context(), "impressions", 0, 0, to)
		if err != nil || (first != nil) != want || want && first.Offset != 20*firstLook+marker {
			t.Errorf("before %d the first record is %v, %v", to, first, err)
		}
	}
}
