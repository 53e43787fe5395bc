package kafka

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// begun is a broker with the topics of an app but for some that were deleted
// since its group has committed an offset of an input.
func begun(t *testing.T, input string, deleted ...string) *kgo.Client {
	t.Helper()
	cl := newClient(t, startBroker(t, EmbeddedOptions{}).Brokers())
	createTopic(t, cl, "elsewhere", 1, nil)
	if _, err := EnsureTopics(limit(t), cl, configOf("impressions"), Creation{Own: true, Sources: 1}); err != nil {
		t.Fatal(err)
	}
	commitOffset(t, cl, "app", input, 7)
	for _, topic := range deleted {
		if _, err := kadm.NewClient(cl).DeleteTopic(limit(t), topic); err != nil {
			t.Fatal(err)
		}
	}
	return cl
}

// A changelog is not created for a group that has read already: what it would
// make of an empty one had been sent before. All else stays as it was.
func TestDeletedChangelog(t *testing.T) {
	for _, input := range []string{"impressions", "app-inbox"} {
		cl := begun(t, input, "app-last-seen-changelog", "app-dead-letters")
		for range 2 { // the first time has created nothing
			_, err := EnsureTopics(limit(t), cl, configOf("impressions"), Creation{Own: true})
			if !errors.As(err, new(*LostError)) {
				t.Fatalf("%s: got %v", input, err)
			}
			for _, want := range []string{"topic app-last-seen-changelog is missing", "group app has committed offsets", "keep a copy",
				"new app name", "--delete --group app", "--reset-state", "send all current traits again"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		}
		planned, err := EnsureTopics(limit(t), cl, configOf("impressions"), Creation{})
		if err != nil || !planned.Changelog.Missing || !planned.DeadLetters.Missing {
			t.Errorf("%s: got %+v, %v", input, planned, err)
		}
	}
}

// Offsets of other topics are no reason.
func TestChangelogOfAFreshGroup(t *testing.T) {
	cl := begun(t, "elsewhere", "app-last-seen-changelog")
	if _, err := EnsureTopics(limit(t), cl, configOf("impressions"), Creation{Own: true}); err != nil {
		t.Error(err)
	}
}

// Other topics are created again, with a warning of what they lack.
func TestDeletedOutputs(t *testing.T) {
	for deleted, want := range map[string]string{
		"app-traits": "topic app-traits was missing although group app has committed offsets of its inputs " +
			"(deleted, or output.topic was changed): the new one holds only changes from now on",
		"app-inbox":        "topic app-inbox was missing although group app has committed offsets of its inputs: impressions that were forwarded",
		"app-dead-letters": "",
	} {
		cl := begun(t, "impressions", deleted)
		for _, warned := range []string{want, ""} { // the second time it is there
			got, err := EnsureTopics(limit(t), cl, configOf("impressions"), Creation{Own: true})
			if err != nil || len(got.missing()) > 0 {
				t.Fatalf("%s: got %+v, %v", deleted, got, err)
			}
			if warnings := strings.Join(got.Warnings, "\n"); !strings.HasPrefix(warnings, warned) || warned == "" && warnings != "" {
				t.Errorf("%s: warns %q, want %q", deleted, warnings, warned)
			}
		}
	}
}

// Of two processes that start at once, the first may have created the topics and
// begun before the second one, which did not see them, looks at the group.
func TestChangelogOfAnother(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	first, cfg := newClient(t, e.Brokers()), configOf("impressions")
	createTopic(t, first, "impressions", 1, nil)
	meanwhile := func() {
		if _, err := EnsureTopics(limit(t), first, cfg, Creation{Own: true}); err != nil {
			t.Error(err)
		}
	}
	createTopic(t, first, "elsewhere", 1, nil)
	commitOffset(t, first, "app", "elsewhere", 7)
	second := newClient(t, e.Brokers(), kgo.WithHooks(&onAnswer{key: kmsg.OffsetFetch.Int16(), do: meanwhile}))
	if _, err := EnsureTopics(limit(t), second, configOf("impressions", "elsewhere"), Creation{Own: true}); err != nil {
		t.Error(err)
	}
}

// onAnswer does something before the answer to a request is heard.
type onAnswer struct {
	key int16
	do  func()
}

func (o *onAnswer) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	if key == o.key {
		o.do()
	}
}
