package processor

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/kafka"
)

// Other topics are others by name, or by id where both are known; a known id is
// kept until another one is told.
func TestJoinedInputs(t *testing.T) {
	for _, c := range []struct {
		last, now string
		differ    bool
		after     string
	}{
		{"", "a=1", true, "a=1"},
		{"a,b", "a=1,b=2", false, "a=1,b=2"}, // the release before knew no ids
		{"a=1,b=2", "a=1,b=2", false, "a=1,b=2"},
		{"a=1,b=2", "a=1,b=3", true, "a=1,b=3"},
		{"a=1,b=2", "a=1,b", false, "a=1,b=2"}, // the broker tells none
		{"a=1", "a=1,b=2", true, "a=1,b=2"},
		{"a=1,b=2", "a=1", true, "a=1"},
		{"a", "b", true, "b"},
	} {
		last, now := parseInputs(c.last), parseInputs(c.now)
		if got := now.differ(last); got != c.differ {
			t.Errorf("%s after %s differs: %v", c.now, c.last, got)
		}
		if got := now.after(last); got != c.after {
			t.Errorf("%s after %s is kept as %s, want %s", c.now, c.last, got, c.after)
		}
	}
}

// A start after an input was created again leaves the seats: their assignment
// may be without it. A start without that, or over what an old release has kept,
// does not.
func TestInputIsRecreated(t *testing.T) {
	w, c := newFaultyWorld(t, "processor: {workers: 1}", 1)
	dir := t.TempDir()
	w.put(w.webhook("u", "f", "v0", 0))
	w.member(dir).drain()
	left := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, Observe: true, Count: -1})
	start := func(what string, want int) {
		t.Helper()
		before := left.Hits()
		m := w.member(dir)
		defer m.close()
		if err := m.takeSeats(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := left.Hits() - before; got != want {
			t.Errorf("%s: the seats left %d times, want %d", what, got, want)
		}
	}
	start("nothing has changed", 0)
	w.recreate(w.topics.Inbox)
	start("the inbox was created again", 1)
	start("nothing has changed since", 0)
	w.recreate(w.topics.Sources["impressions"])
	start("a source was created again", 1)
	m := w.member(dir)
	if err := m.store.SetMeta(inputsMeta, []byte("impressions,"+w.topics.Inbox.Name)); err != nil {
		t.Fatal(err)
	}
	m.close()
	start("an old release ran last", 0)
	w.recreate(w.topics.Inbox)
	start("the inbox was created again after all", 1)
}

// recreate deletes a topic and creates it again.
func (w *world) recreate(topic kafka.Topic) {
	w.t.Helper()
	if _, err := kadm.NewClient(w.client).DeleteTopic(w.t.Context(), topic.Name); err != nil {
		w.t.Fatal(err)
	}
	topic.Config = nil
	if err := kafka.CreateTopics(w.t.Context(), w.client, -1, topic); err != nil {
		w.t.Fatal(err)
	}
}
