package processor

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/kafka"
)

// Partitions that are added to the program's own topics would move users to
// tasks that know nothing of them, and send their traits again.
func TestTasksAreAdded(t *testing.T) {
	yaml := strings.Replace(bubbleYAML, "output: {partitions: 3}\n", "", 1)
	inBubble(t, yaml, map[string]int32{"a": 2, "b": 2}, func(b *bubble) {
		for i := range 10 {
			b.put(b.webhook(fmt.Sprint("u", i), "f", "on", 0))
		}
		dir := b.t.TempDir()
		b.start(dir, nil)
		b.settle()
		adm := kadm.NewClient(b.client)
		for _, topic := range []string{b.topics.Traits.Name, b.topics.Changelog.Name, b.topics.Inbox.Name} {
			if _, err := adm.UpdatePartitions(b.t.Context(), 3, topic); err != nil {
				b.t.Fatal(err)
			}
		}
		b.pass(10 * time.Second)
		var err error
		if b.topics, err = kafka.EnsureTopics(b.t.Context(), b.client, b.cfg, kafka.Creation{}); err != nil {
			b.t.Fatal(err)
		}
		for i := range 10 {
			b.put(b.webhook(fmt.Sprint("u", i), "f", "on", 1))
		}
		for dir, want := range map[string]string{dir: "made with 2 tasks", b.t.TempDir(): "belongs to partition"} {
			p := b.start(dir, nil)
			b.pass(10 * time.Second)
			if err := b.end(p); err == nil || !strings.Contains(err.Error(), want) {
				b.t.Errorf("a process ends with %v, want %q", err, want)
			}
		}
		if n := len(slices.Concat(b.read(b.topics.Traits)...)); n != 10 {
			b.t.Errorf("%d changes, want 10", n)
		}
	})
}
