package processor

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/fleet"
)

// The inbox is emptied up to what is committed, of the tasks that are here.
func TestTrimInbox(t *testing.T) {
	w := newWorld(t, "", 3)
	m := w.member("")
	defer m.close()
	inbox := w.topics.Inbox.Name
	for task := range w.topics.Tasks {
		for range 10 {
			w.put(&kgo.Record{Topic: inbox, Partition: task, Value: []byte("{}")})
		}
	}
	w.commit(partition{inbox, 0}, 4, "")
	w.commit(partition{inbox, 2}, 6, "")
	at, err := m.o.Measure(t.Context())
	if err == nil {
		err = m.o.trimInbox(t.Context(), at, []int32{0, 1})
	}
	if err != nil {
		t.Fatal(err)
	}
	starts, err := kadm.NewClient(w.client).ListStartOffsets(t.Context(), inbox)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int32]int64{}
	starts.Each(func(o kadm.ListedOffset) { got[o.Partition] = o.Offset })
	if want := map[int32]int64{0: 4, 1: 0, 2: 0}; !maps.Equal(got, want) {
		t.Errorf("the inbox's partitions start at %v, want %v", got, want)
	}
}

// Who may not empty the inbox, which would grow for ever, ends and says what is
// missing on which topic.
func TestInboxMayNotBeEmptied(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DeleteRecords}, Err: kerr.TopicAuthorizationFailed, Count: -1})
		p := b.start(t.TempDir(), nil)
		newInput(b, 1).put(100)
		select {
		case <-p.ended:
		case <-time.After(time.Minute):
			t.Fatal("it goes on")
		}
		for _, want := range []string{b.topics.Inbox.Name, "TOPIC_AUTHORIZATION_FAILED", "allow this user", "Delete"} {
			if p.err == nil || !strings.Contains(p.err.Error(), want) {
				t.Errorf("it ended with %v, want %s", p.err, want)
			}
		}
	})
}

// A partition without a claim is noticed when it has been so for long enough,
// without a break.
func TestUnread(t *testing.T) {
	w := newWorld(t, "", 1)
	m := w.member("")
	defer m.close()
	look := func() *fleet.Measurement {
		at, err := m.o.Measure(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	without := look()
	for _, topic := range m.o.InputTopics() {
		w.commit(partition{topic, 0}, 0, "")
	}
	with := look()
	start := time.Now()
	for name, c := range map[string]struct {
		before, between, after *fleet.Measurement
		late                   bool
	}{
		"all are read":     {with, with, with, false},
		"one is not":       {without, without, without, true},
		"it was meanwhile": {without, with, without, false},
	} {
		var u unread
		if u.look(c.before, start) || u.look(c.between, start.Add(unreadFor-time.Second)) {
			t.Errorf("%s: it is noticed too soon", name)
		}
		if got := u.look(c.after, start.Add(unreadFor)); got != c.late {
			t.Errorf("%s: noticed is %v", name, got)
		}
	}
}
