package processor

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/processor/group"
)

// A source that is added to the configuration is read after a restart at once,
// although the broker gives a static member its old assignment back. The
// embedded broker does not, so only a real one can show it.
func TestRealSourceIsAdded(t *testing.T) {
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("TRAITSTREAM_TEST_BROKERS names no Kafka (host:port,...)")
	}
	seeds, app := strings.Split(brokers, ","), "test-"+newName()
	yaml := fmt.Sprintf("app: %s\noutput: {partitions: 1}\nsources: [{topic: %s-a}", app, app)
	w := newWorldAt(t, yaml+"]\n", 1, seeds)
	w.removeTopics()
	dir := t.TempDir()
	w.put(w.webhook("u", "f", "on", 0))
	w.member(dir).drain()
	both := newWorldAt(t, fmt.Sprintf("%s, {topic: %s-b}]\n", yaml, app), 1, seeds)
	r := both.webhook("v", "f", "on", 0)
	r.Topic = app + "-b"
	both.put(r)
	m := both.member(dir)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second) // less than the session's
	defer stop()
	done := make(chan error, 1)
	cancel := runMember(ctx, m, done)
	if err := m.WaitUntilCaughtUp(ctx); err != nil || ctx.Err() != nil {
		t.Errorf("not caught up: %v", ctx.Err())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	m.close()
	if got := both.changes()["user/v/f"]; len(got) != 1 {
		t.Errorf("the new source's user has the changes %v", got)
	}
}

// A start after the inbox was deleted and created again has all tasks at once,
// although the group has placed its static members without it meanwhile and hands
// them that assignment again, which the embedded broker does not.
func TestRealInboxIsRecreated(t *testing.T) {
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("TRAITSTREAM_TEST_BROKERS names no Kafka (host:port,...)")
	}
	app := "test-" + newName()
	yaml := fmt.Sprintf("app: %s\noutput: {partitions: 1}\nsources: [{topic: %s-a}]\nprocessor: {workers: 1}\n", app, app)
	w := newWorldAt(t, yaml, 1, strings.Split(brokers, ","))
	w.removeTopics()
	dir := t.TempDir()
	m := w.member(dir)
	m.o.Leave = true
	m.drain()
	if _, err := kadm.NewClient(w.client).DeleteTopic(t.Context(), w.topics.Inbox.Name); err != nil {
		t.Fatal(err)
	}
	w.placeWithoutInbox(m)

	again := newWorldAt(t, yaml, 1, w.cfg.Kafka.Brokers)
	again.put(again.webhook("u", "f", "on", 0))
	again.member(dir).drain()
	if got := again.changes()["user/u/f"]; len(got) != 1 {
		t.Errorf("the user has the changes %v", got)
	}
}

// placeWithoutInbox joins the group in the seat of a member that is not there,
// as that one would while the inbox is gone, and keeps it.
func (w *world) placeWithoutInbox(m *member) {
	w.t.Helper()
	placed := make(chan struct{})
	cl, err := kgo.NewClient(append(slices.Clone(w.connect),
		kgo.ConsumerGroup(w.cfg.Group()), kgo.InstanceID(m.o.Instance.Name), kgo.ConsumeTopics(w.cfg.Sources[0].Topic),
		kgo.Balancers(group.Balancer{Tasks: w.topics.Tasks, Member: m.workers[0].member()}), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { close(placed) }),
	)...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	select {
	case <-placed:
	case <-time.After(time.Minute):
		w.t.Fatal("the group places nobody")
	}
}

// removeTopics deletes the app's topics when the test is over.
func (w *world) removeTopics() {
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // the test's is over
		defer cancel()
		adm := kadm.NewClient(w.client)
		topics, err := adm.ListTopics(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		own := slices.DeleteFunc(topics.Names(), func(name string) bool { return !strings.HasPrefix(name, w.cfg.App+"-") })
		if _, err := adm.DeleteTopics(ctx, own...); err != nil {
			w.t.Error(err)
		}
	})
}
