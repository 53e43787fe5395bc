package processor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A partition without a leader keeps nobody from reading the others, also where
// the group gives them out meanwhile, and is read when it has one again.
func TestPartitionWithoutALeader(t *testing.T) {
	yaml := strings.Replace(bubbleYAML, "{session_timeout", "{workers: 1, session_timeout", 1)
	inBubble(t, yaml, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 4)
		in.put(50)
		dir := b.t.TempDir()
		b.start(dir, nil)
		b.settle()
		offline := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "b", Partitions: []int32{1},
			Err: kerr.LeaderNotAvailable, Count: -1})
		b.start(b.t.TempDir(), nil)
		b.pass(time.Minute)
		for i := range 5 {
			b.put(b.webhook(fmt.Sprint("user", i), "f", "on", 0))
		}
		b.pass(time.Minute)
		if got := b.changes(); len(got["user/user0/f"])+len(got["user/user1/f"])+len(got["user/user2/f"])+len(got["user/user3/f"])+len(got["user/user4/f"]) != 5 {
			b.t.Errorf("while it is without: %v", got)
		}
		offline.Remove()
		b.settle()
		b.check(dir)
	})
}
