//go:build linux

package chaos

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	chaosLength = flag.Duration("chaos", 90*time.Second, "how long faults go on")
	chaosSeed   = flag.Uint64("seed", 0, "makes the faults and the input; 0: a new one")
	chaosEvery  = flag.Duration("every", 15*time.Second, "longest time from one fault of a process to the next, on average")
	chaosRate   = flag.Int("rate", 3000, "records a second that are put into the sources")
	chaosPort   = flag.Int("port", 9592, "first of the ten ports that brokers and processes listen on")
)

// slowness bounds what a busy machine may take longer than the faults should
// take, and what comes after them.
const slowness = 5 * time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whatever is killed, stopped, expelled or deleted, every change is in the
// traits topic once, and state, inbox and dead letters are what the sources
// come to. The seed repeats the faults and their pauses, not what they hit.
//
// Minutes or hours of it: go test ./internal/chaos -v -chaos 10m -timeout 30m
func TestRealChaos(t *testing.T) {
	script := os.Getenv("TRAITSTREAM_TEST_KAFKA")
	if script == "" {
		t.Skip("set TRAITSTREAM_TEST_KAFKA to a script that starts and kills three nodes of a real Kafka")
	}
	if end, ok := t.Deadline(); ok && time.Until(end) < *chaosLength+2*slowness+time.Minute {
		t.Fatalf("go test needs -timeout %s", *chaosLength+2*slowness+2*time.Minute)
	}
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed %d -chaos %s -every %s -rate %d", seed, *chaosLength, *chaosEvery, *chaosRate)
	ctx, cancel := context.WithTimeout(t.Context(), *chaosLength+slowness)
	defer cancel()

	c := startCluster(ctx, t, script, *chaosPort)
	var sites []site
	for i := range 3 {
		sites = append(sites, site{brokers: c.brokers, http: *chaosPort + 2*scriptNodes + i})
	}
	w := newWorld(ctx, t, c, sites)
	w.survive(ctx, seed, func() { w.storm(ctx, seed) })
}

// survive lets all processes work while faults come, and holds what is left in
// the end against the oracle.
func (w *world) survive(ctx context.Context, seed uint64, faults func()) {
	w.t.Helper()
	w.createSources(ctx)
	for _, m := range w.members {
		m.start(freshStart)
	}
	w.untilReady(ctx)
	watch := w.watch()
	feed := w.feed(rand.New(rand.NewPCG(seed, 0)))
	faults()
	feed.stop(ctx)
	watch.stop()
	w.logf("%d records are in the sources", feed.acked.Load())

	ctx, cancel := context.WithTimeout(w.t.Context(), slowness)
	defer cancel()
	w.catchUp(ctx)
	w.untilInboxEmpty(ctx)
	w.stopAll(ctx)
	w.verify(ctx)
	w.compare(ctx, feed)
	w.report(ctx, feed, watch)
}

// storm lets all kinds of faults come over the brokers and the processes, until
// the time is over and each broker has had its turn.
func (w *world) storm(ctx context.Context, seed uint64) {
	began := time.Now()
	var faults sync.WaitGroup
	faults.Go(func() { w.hitMembers(ctx, rand.New(rand.NewPCG(seed, 1))) })
	faults.Go(func() { w.hitBrokers(ctx, rand.New(rand.NewPCG(seed, 2)), began.Add(*chaosLength)) })
	faults.Go(func() { w.addPartitions(ctx) })
	faults.Wait()
	wait(ctx, time.Until(began.Add(*chaosLength)))
	w.logf("the faults are over")
}

// wait returns false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// between returns a random time.
func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}
