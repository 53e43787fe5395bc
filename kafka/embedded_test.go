package kafka

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

// childDir names, in a child of the test, the folder of the broker to run.
const childDir = "TRAITSTREAM_TEST_EMBEDDED_DIR"

// serveIfChild turns the test binary into a broker that runs until it is
// killed, or closes it when its input ends.
func serveIfChild() {
	dir := os.Getenv(childDir)
	if dir == "" {
		return
	}
	e, err := StartEmbedded(EmbeddedOptions{Dir: dir})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(e.Brokers()[0])
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := e.Close(); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// child is a broker in a process of its own.
type child struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	brokers []string
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error") {
		t.Fatalf("broker in a child: %q, %v", line, err)
	}
	return &child{cmd, stdin, []string{strings.TrimSpace(line)}}
}

// ends are the two ways in which a broker's process may end.
var ends = map[string]func(*testing.T, *child){
	"closed": func(t *testing.T, c *child) {
		if err := c.stdin.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	},
	"killed": func(t *testing.T, c *child) {
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.cmd.Wait() // tells only that it was killed
	},
}

func TestEmbeddedKeepsWhatWasAcknowledged(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			ctx, dir := limit(t), t.TempDir()
			before := startChild(t, dir)
			cl := newClient(t, before.brokers)
			createTopic(t, cl, "plain", 1, map[string]string{"cleanup.policy": "compact", "max.message.bytes": "2000000"})
			createTopic(t, cl, "txn", 1, nil)
			produce(t, cl, "plain", "a", "b")
			txn := txnClient(t, before.brokers, "writer", kgo.TransactionTimeout(time.Second))
			transact(t, txn, kgo.TryCommit, "txn", "kept")
			transact(t, txn, kgo.TryAbort, "txn", "dropped")
			transact(t, txn, kgo.TryCommit, "txn", "kept too")
			produce(t, txn, "txn", "open")
			commitOffset(t, cl, "group", "plain", 2)
			end(t, before)

			after := startChild(t, dir)
			cl = newClient(t, after.brokers)
			if got := readValues(t, cl, "plain", 0, 2); !slices.Equal(got, []string{"a", "b"}) {
				t.Errorf("plain: %q", got)
			}
			if got := readValues(t, cl, "txn", 0, highWatermark(t, cl, "txn")); !slices.Equal(got, []string{"kept", "kept too"}) {
				t.Errorf("txn: %q", got)
			}
			topics, err := Describe(ctx, cl, "plain")
			if err != nil {
				t.Fatal(err)
			}
			if p := topics["plain"]; p.Config["cleanup.policy"] != "compact" || p.MaxMessageBytes != 2000000 {
				t.Errorf("settings: %v", p.Config)
			}
			offsets, err := StableOffsets(ctx, cl, "group", map[string][]int32{"plain": {0}})
			if err != nil {
				t.Fatal(err)
			}
			if offsets["plain"][0] != 2 {
				t.Errorf("offsets: %v", offsets)
			}
		})
	}
}

func commitOffset(t *testing.T, cl *kgo.Client, group, topic string, at int64) {
	t.Helper()
	var o kadm.Offsets
	o.AddOffset(topic, 0, at, -1)
	if err := kadm.NewClient(cl).CommitAllOffsets(limit(t), group, o); err != nil {
		t.Fatal(err)
	}
}

// After a crash deleted records may be there again, as after an unclean election
// of Kafka's; the end of the log must never move back.
func TestEmbeddedKeepsTheEndOfEmptiedPartitions(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			before := startChild(t, dir)
			cl := newClient(t, before.brokers)
			createTopic(t, cl, "part", 1, nil)
			createTopic(t, cl, "all", 1, nil)
			produce(t, cl, "part", "a", "b", "c")
			produce(t, cl, "all", "a", "b", "c")
			deleteRecords(t, cl, "part", 1)
			deleteRecords(t, cl, "all", 3)
			end(t, before)

			cl = newClient(t, startChild(t, dir).brokers)
			if got := highWatermark(t, cl, "part"); got != 3 {
				t.Errorf("part ends at %d", got)
			}
			if got := highWatermark(t, cl, "all"); got != 3 {
				t.Errorf("all ends at %d", got)
			}
			starts, err := kadm.NewClient(cl).ListStartOffsets(limit(t), "part")
			if err != nil {
				t.Fatal(err)
			}
			if start, _ := starts.Lookup("part", 0); name == "closed" && start.Offset != 1 {
				t.Errorf("part starts at %d", start.Offset)
			}
		})
	}
}

func deleteRecords(t *testing.T, cl *kgo.Client, topic string, before int64) {
	t.Helper()
	var o kadm.Offsets
	o.AddOffset(topic, 0, before, -1)
	if _, err := kadm.NewClient(cl).DeleteRecords(limit(t), o); err != nil {
		t.Fatal(err)
	}
}

func TestEmbeddedKeepsItsClusterID(t *testing.T) {
	id := func(dir string) string {
		e := startBroker(t, EmbeddedOptions{Dir: dir})
		defer func() { _ = e.Close() }()
		cl := newClient(t, e.Brokers())
		defer cl.Close()
		m, err := kadm.NewClient(cl).BrokerMetadata(limit(t))
		if err != nil {
			t.Fatal(err)
		}
		return m.Cluster
	}
	dir := t.TempDir()
	first := id(dir)
	if again := id(dir); again != first {
		t.Errorf("restarted: %s, was %s", again, first)
	}
	if other := id(t.TempDir()); other == first {
		t.Errorf("another folder has the same id %s", other)
	}
}

func TestEmbeddedRefusesWhatIsInUse(t *testing.T) {
	dir := t.TempDir()
	e := startBroker(t, EmbeddedOptions{Dir: dir})
	tests := map[string]struct {
		o    EmbeddedOptions
		want string
	}{
		"address": {EmbeddedOptions{Listen: e.Brokers()[0]}, e.Brokers()[0] + " is in use: does a broker run there already?"},
		"folder":  {EmbeddedOptions{Dir: dir}, dir + " is in use: does another process run an embedded broker on it?"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			second, err := StartEmbedded(tt.o)
			if err == nil {
				_ = second.Close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want %q", err, tt.want)
			}
		})
	}
}

func TestEmbeddedReleasesFolderAndAddress(t *testing.T) {
	dir := t.TempDir()
	e := startBroker(t, EmbeddedOptions{Dir: dir})
	address := e.Brokers()[0]
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal("closing again:", err)
	}
	again := startBroker(t, EmbeddedOptions{Dir: dir, Listen: address})
	if got := again.Brokers()[0]; got != address {
		t.Errorf("listens on %s, not on %s", got, address)
	}
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

// A changelog older than a broker's default retention must stay.
func TestEmbeddedDoesNotExpire(t *testing.T) {
	e := startBroker(t, EmbeddedOptions{})
	cl := newClient(t, e.Brokers())
	createTopic(t, cl, "old", 1, map[string]string{"cleanup.policy": "compact"})
	r := record("old", "a")
	r.Timestamp = time.UnixMilli(1_000_000_000_000)
	if err := cl.ProduceSync(limit(t), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, "old", "b")
	e.cluster.ApplyRetention()
	starts, err := kadm.NewClient(cl).ListStartOffsets(limit(t), "old")
	if err != nil {
		t.Fatal(err)
	}
	if start, _ := starts.Lookup("old", 0); start.Offset != 0 {
		t.Errorf("starts at %d", start.Offset)
	}
}

// A copy of the folder of a running broker is what a crash leaves.
func TestEmbeddedCompactsAndSurvivesACrash(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		parent := t.TempDir()
		dir, crashed := filepath.Join(parent, "running"), filepath.Join(parent, "crashed")
		e := startBroker(t, EmbeddedOptions{Dir: dir})
		defer func() { _ = e.Close() }()
		cl := newClient(t, e.Brokers())
		defer cl.Close()
		txn := txnClient(t, e.Brokers(), "writer")
		defer txn.Close()
		createTopic(t, cl, "state", 1, map[string]string{"cleanup.policy": "compact"})
		want := map[string]string{}
		for i := range rapid.IntRange(1, 8).Draw(rt, "transactions") {
			end := kgo.TransactionEndTry(rapid.Bool().Draw(rt, "commit"))
			for range rapid.IntRange(1, 3).Draw(rt, "records") {
				key, value := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "key"), fmt.Sprint(i)
				r := &kgo.Record{Topic: "state", Key: []byte(key), Value: []byte(value)}
				if err := txn.ProduceSync(limit(t), r).FirstErr(); err != nil {
					rt.Fatal(err)
				}
				if end == kgo.TryCommit {
					want[key] = value
				}
			}
			transact(t, txn, end, "state")
			if rapid.Bool().Draw(rt, "compact") {
				e.cluster.Compact()
			}
		}
		if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
			rt.Fatal(err)
		}
		restarted := startBroker(t, EmbeddedOptions{Dir: crashed})
		defer func() { _ = restarted.Close() }()
		again := newClient(t, restarted.Brokers())
		defer again.Close()
		if got := fold(t, cl, "state"); !maps.Equal(got, want) {
			rt.Fatalf("running: %v, want %v", got, want)
		}
		if got := fold(t, again, "state"); !maps.Equal(got, want) {
			rt.Fatalf("after a crash: %v, want %v", got, want)
		}
		if before, after := highWatermark(t, cl, "state"), highWatermark(t, again, "state"); before != after {
			rt.Fatalf("the end moved from %d to %d", before, after)
		}
	})
}

// fold returns the last value of each key of partition 0.
func fold(t *testing.T, cl *kgo.Client, topic string) map[string]string {
	t.Helper()
	starts, err := kadm.NewClient(cl).ListStartOffsets(limit(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	start, _ := starts.Lookup(topic, 0)
	last := map[string]string{}
	err = ReadPartition(limit(t), cl, topic, 0, start.Offset, highWatermark(t, cl, topic), func(r *kgo.Record) error {
		last[string(r.Key)] = string(r.Value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}
