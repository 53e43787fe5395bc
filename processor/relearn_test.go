package processor

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// A topic that takes less than it did when the process started is noticed: what
// does not fit becomes a dead letter, and the rest goes on.
func TestSizeLimitIsLoweredWhileRunning(t *testing.T) {
	inBubble(t, strings.Replace(bubbleYAML, "output: {partitions: 3}", "output: {partitions: 1}", 1), map[string]int32{"b": 1}, func(b *bubble) {
		p := b.start(b.t.TempDir(), nil)
		b.put(b.webhook("u", "f", "on", 0))
		b.caughtUp(b.t.Context())
		limit := "2000"
		_, err := kadm.NewClient(b.client).AlterTopicConfigs(b.t.Context(),
			[]kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &limit}}, b.topics.Traits.Name)
		if err != nil {
			b.t.Fatal(err)
		}
		b.put(b.webhook("u", "f", noise(4000), 1), b.webhook("u", "f", "off", 2))
		b.settle()
		if got := b.changes()["user/u/f"]; len(got) != 2 || got[1] != `"off"` {
			b.t.Errorf("the changes are %.200q", got)
		}
		if n := p.impressions("a", "dead_letter"); n != 1 {
			b.t.Errorf("%d dead letters are counted, want 1", n)
		}
	})
}

// noise is a text that does not compress well.
func noise(n int) string {
	r := rand.NewChaCha8([32]byte{})
	b := make([]byte, n/2)
	_, _ = r.Read(b) // never fails
	return hex.EncodeToString(b)
}
