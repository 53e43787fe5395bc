//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// cluster are the nodes of a Kafka.
type cluster struct {
	brokers []string
	// node does something to one node: kill, restart, pause or resume.
	node func(ctx context.Context, do string, n int) error
}

const scriptNodes = 3

// script starts and kills nodes, which it knows by their first port.
type script struct{ path, port string }

// startCluster starts three nodes by a script, which end with the test. Their
// data is kept if it fails.
func startCluster(ctx context.Context, t *testing.T, path string, port int) *cluster {
	t.Helper()
	s := script{path, strconv.Itoa(port)}
	c := &cluster{node: func(ctx context.Context, do string, n int) error { return s.run(ctx, do, strconv.Itoa(n)) }}
	for i := range scriptNodes {
		c.brokers = append(c.brokers, fmt.Sprintf("127.0.0.1:%d", port+2*i))
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's is over
		defer cancel()
		end := "clean"
		if t.Failed() {
			end = "stop"
		}
		if err := s.run(ctx, end); err != nil {
			t.Error(err)
		}
	})
	if err := s.run(ctx, "start", "--nodes", strconv.Itoa(scriptNodes)); err != nil {
		t.Fatal(err)
	}
	return c
}

func (s script) run(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "bash", append([]string{s.path}, append(args, "--port", s.port)...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %v: %w: %s", s.path, args, err, out)
	}
	return nil
}

// hitBrokers kills or stalls one broker after the other, round after round,
// each once all replicas are in sync again. The first round kills each, and
// soon; later ones leave time in which all brokers are there.
func (w *world) hitBrokers(ctx context.Context, random *rand.Rand, end time.Time) {
	longest := 10 * time.Second
	for round := 0; round == 0 || time.Now().Before(end); round++ {
		for _, n := range random.Perm(len(w.cluster.brokers)) {
			if round > 0 && time.Now().After(end) || !wait(ctx, between(random, 3*time.Second, longest)) {
				return
			}
			stall := round > 0 && random.IntN(4) == 0
			if err := w.hitBroker(ctx, n, stall, between(random, time.Second, 8*time.Second)); err != nil {
				w.t.Errorf("broker %d: %v", n, err)
				return
			}
		}
		longest = 40 * time.Second
	}
}

func (w *world) hitBroker(ctx context.Context, n int, stall bool, away time.Duration) error {
	hit, back, count := "kill", "restart", "brokers killed"
	if stall {
		hit, back, count = "pause", "resume", "brokers paused"
	}
	w.count(count)
	w.brokerFaults.Add(1)
	defer w.brokerFaults.Add(1)
	w.logf("broker %d: %s for %.1f s", n, hit, away.Seconds())
	if err := w.cluster.node(ctx, hit, n); err != nil {
		return err
	}
	wait(ctx, away)
	if err := w.cluster.node(ctx, back, n); err != nil {
		w.logf("broker %d: %s: %v", n, back, err) // the script's patience ends before that of the test
	}
	w.logf("broker %d: %s", n, back)
	return w.untilInSync(ctx)
}

// untilInSync waits until each partition has all of its replicas: the loss of
// two brokers in a row is not what this is about.
func (w *world) untilInSync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		m, err := w.admin.Metadata(ctx)
		if err == nil && inSync(m) {
			return nil
		}
		if !wait(ctx, 200*time.Millisecond) {
			return fmt.Errorf("waiting for replicas: %w (last: %w)", ctx.Err(), err)
		}
	}
}

func inSync(m kadm.Metadata) bool {
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			if len(p.ISR) < len(p.Replicas) || len(p.Replicas) == 0 || p.Err != nil {
				return false
			}
		}
	}
	return len(m.Topics) > 0
}

// addPartitions gives both sources more of them than there are tasks, one
// source after the other.
func (w *world) addPartitions(ctx context.Context) {
	for _, more := range []struct {
		topic string
		total int
	}{{mobile, tasks + 1}, {web, tasks + 2}} {
		if !wait(ctx, *chaosLength/3) {
			return
		}
		for {
			_, err := w.admin.UpdatePartitions(ctx, more.total, more.topic)
			if err == nil {
				var have kadm.TopicDetails
				if have, err = w.admin.ListTopics(ctx, more.topic); err == nil && len(have[more.topic].Partitions) == more.total {
					break
				}
			}
			if !wait(ctx, 200*time.Millisecond) {
				w.t.Errorf("adding partitions to %s: %v", more.topic, err)
				return
			}
		}
		w.count("topics grown")
		w.logf("%s has %d partitions now", more.topic, more.total)
	}
}
