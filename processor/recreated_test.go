package processor

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/kafka"
)

// A source that is deleted and created again while it is read goes on from its
// new start, and not only from where the old one was.
func TestSourceIsRecreated(t *testing.T) {
	w := newWorld(t, "", 1)
	m := w.member("")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	w.put(w.webhook("u", "f", "v0", 0), w.webhook("u", "f", "v1", 1))
	until(t, "the first changes are out", func() bool { return len(w.changes()["user/u/f"]) == 2 })
	fresh := w.recreated("impressions")
	for i, treatment := range []string{"v2", "v3", "v4"} {
		fresh.put(fresh.webhook("u", "f", treatment, int64(i+2)))
	}
	until(t, "the new ones are too", func() bool { return len(w.changes()["user/u/f"]) == 5 })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	m.close()
}

// A time that the topic would refuse gives way to now.
func TestTimestamp(t *testing.T) {
	var b outbox
	limited := kafka.Topic{Config: map[string]string{
		"message.timestamp.after.max.ms": "3600000", "message.timestamp.before.max.ms": "86400000",
	}}
	free := kafka.Topic{Config: map[string]string{"message.timestamp.after.max.ms": "9223372036854775807"}}
	now := time.Now()
	hour := time.Hour.Milliseconds()
	for _, c := range []struct {
		topic        kafka.Topic
		source, seen int64
		want         int64 // 0: about now
	}{
		{limited, now.UnixMilli() + hour/2, 5, now.UnixMilli() + hour/2},
		{limited, now.UnixMilli() + 2*hour, 5, 0},
		{limited, now.UnixMilli() - 48*hour, 5, 0},
		{limited, -1, now.UnixMilli() + 2*hour, 0},
		{limited, -1, now.UnixMilli() - hour, now.UnixMilli() - hour},
		{free, now.UnixMilli() + 48*hour, 5, now.UnixMilli() + 48*hour},
		{kafka.Topic{}, 7, 5, 7},
	} {
		got := b.timestamp(timeLimitsOf(c.topic), c.source, c.seen)
		if c.want != 0 && got.UnixMilli() != c.want || c.want == 0 && got.Sub(now).Abs() > time.Minute {
			t.Errorf("%v: source %d, seen %d gives %v", c.topic.Config, c.source, c.seen, got)
		}
	}
}

// A process that stood by while a source was created again reads the new one
// when it gets a task.
func TestSourceIsRecreatedForAStandby(t *testing.T) {
	w, _ := newFaultyWorld(t, "processor: {workers: 1}", 1)
	first, second := w.member(""), w.member("")
	defer first.close()
	defer second.close()
	first.o.Leave = true
	ended, done := make(chan error, 1), make(chan error, 1)
	stopFirst := runMember(t.Context(), first, ended)
	until(t, "the first has the task", func() bool { return len(first.numbers()) == 1 })
	stop := runMember(t.Context(), second, done)
	until(t, "the second stands by", second.Ready)
	w.put(w.webhook("u", "f", "v0", 0))
	until(t, "the first change is out", func() bool { return len(w.changes()["user/u/f"]) == 1 })
	fresh := w.recreated("impressions")
	fresh.put(fresh.webhook("u", "f", "v1", 1))
	until(t, "the second change is out", func() bool { return len(w.changes()["user/u/f"]) == 2 })
	stopFirst()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	fresh.put(fresh.webhook("u", "f", "v2", 2))
	until(t, "the third change is out", func() bool { return len(w.changes()["user/u/f"]) == 3 })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// recreated deletes a source and creates it again. It returns a world whose
// producer has not seen the old one.
func (w *world) recreated(topic string) *world {
	w.t.Helper()
	adm := kadm.NewClient(w.client)
	if _, err := adm.DeleteTopic(w.t.Context(), topic); err != nil {
		w.t.Fatal(err)
	}
	if _, err := adm.CreateTopic(w.t.Context(), w.topics.Sources[topic].Partitions, 1, nil, topic); err != nil {
		w.t.Fatal(err)
	}
	return newWorldAt(w.t, "", 1, w.cfg.Kafka.Brokers)
}
