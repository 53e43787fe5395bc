package processor

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
)

// A command that is killed in the middle of its transaction keeps the tasks from their
// inboxes for some seconds at most.
func TestCommandIsKilled(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 1)
		b.start(b.t.TempDir(), nil)
		in.put(100)
		b.caughtUp(b.t.Context())
		j := NewJobs(b.client, b.cfg, b.topics)
		cl, err := kgo.NewClient(append([]kgo.Opt{
			kgo.TransactionalID(j.o.commandID()), kgo.TransactionTimeout(transactionTimeout), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		}, b.connect...)...)
		if err != nil {
			b.t.Fatal(err)
		}
		defer cl.Close()
		if err := cl.BeginTransaction(); err != nil {
			b.t.Fatal(err)
		}
		d := &schemas.Definitions{Generation: 7, State: schemas.DefinitionsPreparing, Traits: []byte(`[{"name":"x"}]`)}
		records := append(j.o.commands(schemas.Define, 7), j.o.controlRecords(d, nil)...)
		if err := cl.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		in.put(100)
		began := time.Now()
		b.caughtUp(b.t.Context())
		if took := time.Since(began); took > 3*commandPatience {
			b.t.Errorf("what was forwarded has waited %s", took)
		}
		if all := b.states(); len(all) > 0 {
			b.t.Errorf("generations are %v", all)
		}
		b.settle()
		b.check(b.dirs...)
	})
}
