//go:build linux

package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/internal/oracle"
)

const (
	app   = "chaos"
	tasks = 6
	// web has a partition for each task and holds the users of the strict half
	// of S12; mobile has fewer, and then more.
	web, mobile      = "web", "mobile"
	mobilePartitions = 4
	sessionTimeout   = 6 * time.Second
)

// settings are those of each process. Compaction must not take away what the
// comparison looks at.
const settings = `app: chaos
kafka: {brokers: [%s]}
sources: [{topic: web}, {topic: mobile, environment: Production}]
traits: [{name: "{split}", not_served: clear}]
output: {partitions: 6, config: {min.compaction.lag.ms: 86400000}}
state: {dir: data}
processor: {workers: 2, session_timeout: 6s}
http: {listen: "127.0.0.1:%d"}
`

// The same for the oracle.
var (
	sources = []oracle.Source{
		{Topic: web, Format: "auto", Identity: "user"},
		{Topic: mobile, Format: "auto", Identity: "user", Environment: "Production"},
	}
	definitions = []oracle.Definition{{Name: "{split}", Event: "get_treatment", Property: "treatment", NotServed: "clear"}}
)

// world is a cluster with the processes that work on it.
type world struct {
	t       *testing.T
	began   time.Time
	cluster *cluster
	client  *kgo.Client
	admin   *kadm.Client
	members []*member
	rate    int            // records a second that are put into the sources
	over    atomic.Bool    // no process is started again
	running sync.WaitGroup // those who wait for processes
	// brokerFaults counts each twice, when it begins and when all replicas are
	// back: it is odd in between.
	brokerFaults atomic.Int64

	mu         sync.Mutex
	counts     map[string]int
	recoveries map[startKind][]time.Duration
}

// site is where a process works: what it reaches the brokers by, and its port.
type site struct {
	brokers []string
	http    int
}

// newWorld builds the program and gives it places. The processes' folders and
// logs lie among the test's artifacts.
func newWorld(ctx context.Context, t *testing.T, c *cluster, sites []site) *world {
	t.Helper()
	dir := t.ArtifactDir()
	w := &world{t: t, began: time.Now(), cluster: c, rate: *chaosRate, counts: map[string]int{}, recoveries: map[startKind][]time.Duration{}}
	program := filepath.Join(dir, "traitstream")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "traitstream/cmd/traitstream").CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v: %s", err, out)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.brokers...), kgo.AlwaysRetryEOF(), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.client, w.admin = client, kadm.NewClient(client)
	t.Cleanup(w.killAll)
	for i, at := range sites {
		home := filepath.Join(dir, fmt.Sprintf("process-%d", i))
		m := &member{w: w, name: fmt.Sprintf("process %d", i), home: home, program: program,
			http: fmt.Sprintf("127.0.0.1:%d", at.http)}
		if err := os.MkdirAll(home, 0o700); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf(settings, strings.Join(at.brokers, ", "), at.http)
		if err := os.WriteFile(m.config(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.members = append(w.members, m)
	}
	return w
}

// createSources returns when every broker knows the sources.
func (w *world) createSources(ctx context.Context) {
	w.t.Helper()
	for topic, partitions := range map[string]int32{web: tasks, mobile: mobilePartitions} {
		if _, err := w.admin.CreateTopic(ctx, partitions, -1, nil, topic); err != nil {
			w.t.Fatalf("creating %s: %v", topic, err)
		}
	}
	for n := range w.cluster.brokers {
		w.until(ctx, "every broker knows the sources", func() bool {
			resp, err := w.client.Broker(n).Request(ctx, kmsg.NewPtrMetadataRequest())
			return err == nil && len(resp.(*kmsg.MetadataResponse).Topics) >= 2
		})
	}
}

func (w *world) untilReady(ctx context.Context) {
	w.t.Helper()
	for _, m := range w.members {
		w.until(ctx, m.name+" is ready", func() bool { return m.page("/readyz") == "ok\n" })
	}
	w.logf("all processes are ready")
}

// until waits for a condition, one minute at most.
func (w *world) until(ctx context.Context, what string, ok func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !ok() {
		if !wait(ctx, 50*time.Millisecond) {
			w.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// logf tells what happens, with the time since the start.
func (w *world) logf(format string, args ...any) {
	w.t.Helper()
	w.t.Logf("%7.2f s  %s", time.Since(w.began).Seconds(), fmt.Sprintf(format, args...))
}

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

// stopAll interrupts every process and waits for it.
func (w *world) stopAll(ctx context.Context) {
	w.over.Store(true)
	for _, m := range w.members {
		m.stop(ctx)
	}
	w.running.Wait()
}

// killAll leaves no process behind, however the test ends.
func (w *world) killAll() {
	w.over.Store(true)
	for _, m := range w.members {
		m.kill()
	}
	w.running.Wait()
}
