//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"traitstream/internal/containers"
)

const needsDocker = "set TRAITSTREAM_TEST_DOCKER=1 where docker works and the image apache/kafka can be had"

// Three nodes in containers, on a network of their own: under load one stands
// still until the others have given it up, another one is killed and started
// again. Nothing is lost and nothing is there twice.
func TestRealNodesInContainers(t *testing.T) {
	if os.Getenv("TRAITSTREAM_TEST_DOCKER") == "" {
		t.Skip(needsDocker)
	}
	w := newContained(t, containers.KafkaOptions{Nodes: 3}, nil)
	w.survive(t.Context(), rand.Uint64(), func() {
		last := -1
		for _, fault := range []struct {
			stall bool
			away  time.Duration
		}{{true, 10 * time.Second}, {false, 3 * time.Second}} {
			w.untilAllCommit(t.Context())
			last = w.leader(t.Context(), last)
			if err := w.hitBroker(t.Context(), last, fault.stall, fault.away); err != nil {
				t.Fatalf("broker %d: %v", last, err)
			}
		}
	})
}

// A process that the network cuts off from the brokers for longer than its
// session and its transactions last, once with closed connections and once with
// silence, does not end. Others take its tasks; when it is back it has tasks
// again, and of what it was doing nothing is lost and nothing is there twice.
func TestRealNetworkIsCut(t *testing.T) {
	if os.Getenv("TRAITSTREAM_TEST_DOCKER") == "" {
		t.Skip(needsDocker)
	}
	detour := containers.FreePort(t)
	var line *line
	w := newContained(t, containers.KafkaOptions{DetourPort: detour}, func(k *containers.Kafka) []string {
		line = newLine(t, fmt.Sprintf("127.0.0.1:%d", detour), k.Detour)
		return []string{line.address}
	})
	w.survive(t.Context(), rand.Uint64(), func() {
		w.cutOff(t.Context(), "its connections are closed", line.close, line.open)
		w.cutOff(t.Context(), "its connections fall silent", line.silence, line.speak)
	})
}

// containedRate leaves the machine to the nodes, which it starts while it works.
const containedRate = 500

// newContained starts a cluster in containers and gives the program two
// places. First, where not nil, tells by what the first one reaches the brokers.
func newContained(t *testing.T, o containers.KafkaOptions, first func(*containers.Kafka) []string) *world {
	t.Helper()
	t.Setenv("TRAITSTREAM_PROCESSOR_FLUSH_INTERVAL", "5s") // the inbox is empty so much sooner
	began := time.Now()
	k := containers.StartKafka(t, o)
	t.Logf("%d nodes in containers started: %.1f s", len(k.Brokers), time.Since(began).Seconds())
	c := &cluster{brokers: k.Brokers, node: func(ctx context.Context, do string, n int) error {
		return map[string]func(context.Context, int) error{
			"kill": k.Kill, "restart": k.Restart, "pause": k.Pause, "resume": k.Resume,
		}[do](ctx, n)
	}}
	var sites []site
	for range 2 {
		sites = append(sites, site{brokers: k.Brokers, http: containers.FreePort(t)})
	}
	if first != nil {
		sites[0].brokers = first(k)
	}
	w := newWorld(t.Context(), t, c, sites)
	w.rate = containedRate
	return w
}

// untilAllCommit waits until each process has committed something more.
func (w *world) untilAllCommit(ctx context.Context) {
	w.t.Helper()
	began := time.Now()
	for _, m := range w.members {
		before := m.commits()
		w.until(ctx, m.name+" commits", func() bool { return m.commits() > before })
	}
	w.logf("all processes commit, after %.1f s", time.Since(began).Seconds())
}

// leader is a node that leads a partition of the traits topic, other than one.
func (w *world) leader(ctx context.Context, not int) int {
	w.t.Helper()
	topics, err := w.admin.ListTopics(ctx, app+"-traits")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range topics[app+"-traits"].Partitions.Sorted() {
		if n := int(p.Leader); n >= 0 && n != not {
			return n
		}
	}
	w.t.Fatal("no other node leads a partition")
	return not
}

// cutLength is longer than the processes' sessions and transactions last.
const cutLength = 12 * time.Second

// cutOff cuts the first process off, and waits until it commits again.
func (w *world) cutOff(ctx context.Context, how string, cut, heal func()) {
	w.t.Helper()
	m := w.members[0]
	w.untilAllCommit(ctx)
	w.count("network cuts")
	w.logf("%s is cut off for %s: %s", m.name, cutLength, how)
	cut()
	wait(ctx, cutLength)
	before := m.commits()
	heal()
	healed := time.Now()
	w.until(ctx, m.name+" commits again", func() bool { return m.commits() > before })
	w.logf("%s commits again %.1f s after that", m.name, time.Since(healed).Seconds())
}
