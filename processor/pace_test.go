package processor

import (
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// While the markers of a transaction are being written, the next one does not
// begin; after a rest it begins at once.
func TestTransactionsAwaitMarkers(t *testing.T) {
	inBubble(t, oneWorker, map[string]int32{"b": 5}, func(b *bubble) {
		var mu sync.Mutex
		var ended time.Time
		var begins []time.Duration // after the end of the one before
		b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce, kmsg.EndTxn}, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			switch r := r.(type) {
			case *kmsg.EndTxnRequest:
				ended = time.Now()
			case *kmsg.ProduceRequest:
				if r.TransactionID != nil && !ended.IsZero() {
					begins = append(begins, time.Since(ended))
					ended = time.Time{}
				}
			}
			return true
		}})
		in := newInput(b, 2)
		in.put(60)
		b.start(b.t.TempDir(), nil)
		b.caughtUp(b.t.Context())
		for range 50 {
			in.put(10)
			b.pass(time.Millisecond)
		}
		b.pass(time.Second)
		mu.Lock()
		before := len(begins)
		mu.Unlock()
		in.put(10)
		b.pass(markersWait / 2)
		mu.Lock()
		if len(begins) == before {
			b.t.Error("after a rest, changes are kept waiting")
		}
		mu.Unlock()
		b.settle()
		b.check()
		early, soon := 0, 0
		for _, after := range begins {
			if after < markersWait {
				early++
			}
			if after < 2*markersWait {
				soon++
			}
		}
		if early > 0 || soon < 5 {
			b.t.Errorf("transactions begin %v after those before them", begins)
		}
	})
}
