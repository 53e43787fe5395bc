package processor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
)

// bubble is a world in a synctest bubble: broker, network, clients and
// processes. Its clock stands still while anything runs, and jumps when all
// wait, so sessions and transactions time out in no time.
type bubble struct {
	*world
	t       *testing.T
	cluster *kfake.Cluster
	net     *kfake.VirtualNetwork
	alive   []*process
	dirs    []string            // of all processes that ever were
	defs    []oracle.Definition // in force in the end; nil: those of bubbleYAML

	mu    sync.Mutex
	heard map[string]time.Time // when each member was last heard of
}

// inBubble runs a test in a bubble. Sources maps topics to their partitions,
// where these are other than the tasks'.
func inBubble(t *testing.T, yaml string, sources map[string]int32, test func(*bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		// The bubble's clock begins in 2000; topics refuse times that are far off.
		<-time.After(time.Until(time.UnixMilli(noon)))
		b := &bubble{t: t, net: new(kfake.VirtualNetwork), heard: map[string]time.Time{}}
		var err error
		b.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(b.net.Listen),
			kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.cluster.Close)
		for topic, partitions := range sources {
			if err := b.cluster.CreateTopic(topic, partitions, nil); err != nil {
				t.Fatal(err)
			}
		}
		b.world = newWorldAt(t, yaml, 1, b.cluster.ListenAddrs(), kgo.Dialer(b.net.DialContext))
		b.listen()
		b.boundJoins()
		defer b.killAll()
		test(b)
	})
}

// transactionVersion sets the level of the cluster's feature for the processes
// that are started from then on: below 2, partitions and groups are added to a
// transaction by requests.
func (b *bubble) transactionVersion(level int16) {
	b.t.Helper()
	change := kadm.FeatureUpdate{Feature: "transaction.version", MaxVersionLevel: level, UpgradeType: 2}
	updated, err := kadm.NewClient(b.client).UpdateFeatures(b.t.Context(), false, change)
	if err != nil || updated.Error() != nil {
		b.t.Fatal(err, updated.Error())
	}
}

// settle waits until the processes have merged all that was put and have
// emptied the inbox, and stops them.
func (b *bubble) settle() {
	b.t.Helper()
	b.pass(6 * time.Second) // clients hold what they know of partitions for 5 s
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Minute)
	defer cancel()
	b.caughtUp(ctx)
	quiet := time.Second
	if b.cfg.Set.LeastExpiry() > 0 { // a clock that waited for what was behind may have jumped just now
		quiet = sweepSlack
	}
	b.steady(ctx, quiet)
	for b.cfg.Set.LeastExpiry() == 0 && !b.inboxIsEmpty() { // else there are always ticks
		if !sleep(ctx, time.Second) {
			b.t.Fatalf("the inbox was not emptied within 10 minutes; %s", b.group())
		}
	}
	for len(b.alive) > 0 {
		if err := b.end(b.alive[0]); err != nil {
			b.t.Errorf("a process ended with: %v", err)
		}
	}
	if marks := b.allMarks(); len(marks) > 0 {
		b.t.Errorf("marks %v", marks)
	}
}

// steady waits until the group was without a rebalance for some time. A process that
// was deaf hears for many seconds after that of what it has missed; until then tasks
// may be nobody's, whose clocks stand still and whose moves nobody can log.
func (b *bubble) steady(ctx context.Context, long time.Duration) {
	b.t.Helper()
	last, since := int32(-1), time.Now()
	for time.Since(since) < long {
		if info := b.cluster.GroupInfo(b.cfg.Group()); info.State != "Stable" || info.Epoch != last {
			last, since = info.Epoch, time.Now()
		}
		if !sleep(ctx, 100*time.Millisecond) {
			b.t.Fatalf("no quiet within 10 minutes; %s", b.group())
		}
	}
}

// allMarks are the marks of all inputs.
func (b *bubble) allMarks() map[partition]schemas.Mark {
	b.t.Helper()
	all := map[partition]schemas.Mark{}
	committed, err := kadm.NewClient(b.client).FetchOffsets(b.t.Context(), b.cfg.Group())
	if err != nil {
		b.t.Fatal(err)
	}
	committed.Each(func(c kadm.OffsetResponse) {
		if note, _ := schemas.ParseOffsetNote(c.Metadata); note.Mark != (schemas.Mark{}) {
			all[partition{c.Topic, c.Partition}] = note.Mark
		}
	})
	return all
}

// caughtUp waits until the processes have merged all that was put. In a bubble
// that gets nowhere time would go by for ever.
func (b *bubble) caughtUp(ctx context.Context) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := b.alive[0].WaitUntilCaughtUp(ctx); err != nil {
		b.t.Fatal(err)
	}
	if ctx.Err() != nil {
		b.t.Fatalf("not caught up in time; %s", b.group())
	}
}

// group tells who has what, for a test that fails.
func (b *bubble) group() string {
	info := b.cluster.GroupInfo(b.cfg.Group())
	var text strings.Builder
	fmt.Fprintf(&text, "the group is %s, generation %d", info.State, info.Epoch)
	for _, m := range info.Members {
		fmt.Fprintf(&text, "\n%s has %v", m.MemberID, m.Assignment)
	}
	for topic, places := range info.Commits {
		for p, at := range b.cluster.PartitionInfos(topic) {
			fmt.Fprintf(&text, "\n%s %d: %d of %d by %s", topic, p, places[int32(p)].Offset, at.HighWatermark, places[int32(p)].Metadata)
		}
	}
	return text.String()
}

func (b *bubble) inboxIsEmpty() bool {
	b.t.Helper()
	o := Options{Fleet: fleet.Fleet{Client: b.client, Topics: &kafka.Topics{Changelog: b.topics.Inbox}}}
	for p := range b.topics.Tasks {
		start, end, err := o.changelogRange(b.t.Context(), p)
		if err != nil {
			b.t.Fatal(err)
		}
		first, err := o.FirstRecord(b.t.Context(), b.topics.Inbox.Name, p, start, end)
		var moved *kafka.OutOfRangeError // emptied a moment ago
		if err != nil && !errors.As(err, &moved) {
			b.t.Fatal(err)
		}
		if err != nil || first != nil {
			return false
		}
	}
	return true
}

// pass lets time go by.
func (b *bubble) pass(d time.Duration) { sleep(b.t.Context(), d) }

// addPartition gives a source one partition more. It is tried until the test's
// client has seen it: a fault may meet this client too.
func (b *bubble) addPartition(topic string) {
	b.t.Helper()
	source := b.topics.Sources[topic]
	source.Partitions++
	adm := kadm.NewClient(b.client)
	for {
		_, _ = adm.UpdatePartitions(b.t.Context(), int(source.Partitions), topic) // the look tells
		b.client.PurgeTopicsFromClient(topic)                                     // it would not see them for a while
		if have, err := adm.ListTopics(b.t.Context(), topic); err == nil && len(have[topic].Partitions) == int(source.Partitions) {
			break
		}
		if !sleep(b.t.Context(), 100*time.Millisecond) {
			b.t.Fatal("no partition was added")
		}
	}
	b.topics.Sources[topic] = source
}

// In a bubble a whole run is done in a blink, a member that is lost too.
func TestBubble(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 1)
		in.put(100)
		p := b.start(t.TempDir(), nil)
		in.put(100)
		b.caughtUp(b.t.Context())
		b.kill(p)
		in.put(100)
		b.start(t.TempDir(), nil)
		b.settle()
		b.check()
	})
}
