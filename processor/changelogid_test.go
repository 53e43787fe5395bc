package processor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/kafka"
)

// State of a changelog that was deleted is not taken for that of the one with
// its name, though this has grown beyond the state's checkpoint.
func TestStateOfADeletedChangelog(t *testing.T) {
	yaml := strings.Replace(bubbleYAML, "{partitions: 3}", "{partitions: 1}", 1)
	inBubble(t, yaml, map[string]int32{"b": 1}, func(b *bubble) {
		old := b.t.TempDir()
		b.put(b.webhook("u", "f", "late", 1000))
		b.start(old, nil)
		b.settle()
		b.startOver()
		for i := range 5 {
			b.put(b.webhook(fmt.Sprint("other", i), "f", "on", 0))
		}
		b.start(b.t.TempDir(), nil)
		b.settle()
		b.put(b.webhook("u", "f", "early", 1))
		p := b.start(old, nil)
		b.pass(10 * time.Second)
		if err := b.end(p); !errors.Is(err, errAnotherChangelog) {
			b.t.Errorf("the process ends with %v, the changes are %v", err, b.changes())
		}
	})
}

// startOver deletes all topics and makes them anew.
func (b *bubble) startOver() {
	b.t.Helper()
	adm := kadm.NewClient(b.client)
	all := []string{b.topics.Traits.Name, b.topics.Changelog.Name, b.topics.Inbox.Name, b.topics.DeadLetters.Name}
	for name := range b.topics.Sources {
		all = append(all, name)
	}
	if _, err := adm.DeleteTopics(b.t.Context(), all...); err != nil {
		b.t.Fatal(err)
	}
	b.client.PurgeTopicsFromClient(all...) // it would not take to the new ones
	b.pass(10 * time.Second)
	var err error
	if b.topics, err = kafka.EnsureTopics(b.t.Context(), b.client, b.cfg, kafka.Creation{Own: true, Sources: 1}); err != nil {
		b.t.Fatal(err)
	}
}
