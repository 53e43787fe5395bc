package processor

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/state"
)

// A store that does not take a batch ends the process: it would go on with state
// that lacks what has been committed.
func TestApplyFails(t *testing.T) {
	inBubble(t, oneWorker, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 7)
		in.put(60)
		refused := false
		p := b.start(b.t.TempDir(), func(p *process) {
			p.o.at = func(_ int, at boundary) error {
				if at == ended && p.workers[0].hasChanges() && !refused {
					refused = true // a checkpoint never goes back
					ahead := p.store.NewBatch()
					for task := range b.topics.Tasks {
						ahead.SetCheckpoint(task, state.Checkpoint{Next: 1 << 40, Committed: time.Now()})
					}
					return ahead.Commit()
				}
				return nil
			}
		})
		select {
		case <-p.ended:
		case <-time.After(time.Minute):
			b.t.Fatal("it has not ended")
		}
		if p.err == nil || !strings.Contains(p.err.Error(), "writing state to") {
			b.t.Errorf("it ends with %v", p.err)
		}
	})
}

// What a source's own producer has aborted is no impression.
func TestAbortedInput(t *testing.T) {
	w := newWorld(t, "sources: [{topic: s}]\n", 1)
	at := time.UnixMilli(noon)
	w.inTransaction(kgo.TryAbort, 0, at)
	w.inTransaction(kgo.TryCommit, 0, at)
	w.member("").drain()
	if texts, _ := w.letters(); len(texts) != 1 {
		t.Errorf("the dead letters are %v, want the committed one", texts)
	}
}

// inTransaction produces a record to a partition of s in a transaction.
func (w *world) inTransaction(how kgo.TransactionEndTry, partition int32, at time.Time) {
	w.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.TransactionalID("other"), kgo.RecordPartitioner(kgo.ManualPartitioner())}, w.connect...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
	if err := cl.ProduceSync(w.t.Context(), &kgo.Record{Topic: "s", Partition: partition, Value: []byte("{}"), Timestamp: at}).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	if err := cl.EndTransaction(w.t.Context(), how); err != nil {
		w.t.Fatal(err)
	}
}
