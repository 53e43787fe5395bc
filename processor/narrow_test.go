package processor

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A backlog whose changes take longer to write than the broker lets a
// transaction be open is worked off in smaller ones.
func TestTransactionTakesTooLong(t *testing.T) {
	yaml := strings.Replace(bubbleYAML, "{partitions: 3}", "{partitions: 1}", 1)
	for name, slow := range map[string]time.Duration{
		"in several requests": 5 * time.Millisecond, "in one request": 100 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, yaml, map[string]int32{"b": 1}, func(b *bubble) {
				var backlog []*kgo.Record
				noise, r := make([]byte, 200), rand.NewChaCha8([32]byte{})
				for i := range 4000 {
					_, _ = r.Read(noise) // never fails
					backlog = append(backlog, b.webhook(fmt.Sprint("u", i), "f", hex.EncodeToString(noise), 0))
				}
				b.put(backlog...)
				p := b.start(b.t.TempDir(), func(p *process) { p.cable.narrow(slow) })
				b.pass(10 * time.Minute)
				if n := len(b.changes()); n != 4000 {
					b.t.Errorf("%d changes, want 4000", n)
				}
				p.cable.narrow(0)
				b.settle()
				b.check()
			})
		})
	}
}
