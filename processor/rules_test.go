package processor

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A stop does not wait for brokers that never tell whether they have written down
// the sources and traits: the client would not give that record up by itself.
func TestStopWhileRulesAreWritten(t *testing.T) {
	inBubble(t, lateYAML, map[string]int32{"a": 1, "b": 2}, func(b *bubble) {
		asked := make(chan struct{})
		p := b.start(b.t.TempDir(), func(p *process) {
			b.cluster.ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
				p.cable.sever()
				close(asked)
				return nil, nil, false
			})
		})
		<-asked
		b.pass(time.Second)
		began := time.Now()
		b.kill(p)
		if took := time.Since(began); took > drainTimeout+stopGrace {
			t.Errorf("it stopped after %s", took)
		}
	})
}
