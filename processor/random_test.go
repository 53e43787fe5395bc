package processor

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/schemas"
)

// Whatever happens to processes, network and broker, what comes out is what the
// oracle says. Each run has a seed, which names its subtest; how goroutines take
// turns is not in it, so a seed may need several tries to fail again.
//
//	TRAITSTREAM_TEST_SEED=7 go test ./processor -run RandomFaults -count 20
//	TRAITSTREAM_TEST_RUNS=50000 go test ./processor -run RandomFaults -timeout 0
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	withSeeds(t, 200, randomFaults)
}

// withSeeds runs a test with so many seeds that follow each other, fewer of them
// in short, or with those that the environment asks for.
func withSeeds(t *testing.T, runs uint64, test func(*testing.T, uint64)) {
	seed := rand.Uint64N(1_000_000_000)
	if testing.Short() {
		runs = 8 // under the race detector, which sees the same accesses in each
	}
	if n, err := strconv.ParseUint(os.Getenv("TRAITSTREAM_TEST_RUNS"), 10, 64); err == nil {
		runs = n
	}
	if n, err := strconv.ParseUint(os.Getenv("TRAITSTREAM_TEST_SEED"), 10, 64); err == nil {
		seed, runs = n, 1
	}
	for i := range runs {
		t.Run(fmt.Sprintf("seed=%d", seed+i), func(t *testing.T) {
			t.Parallel()
			test(t, seed+i)
		})
	}
}

func randomFaults(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	tasks, strays, workers := 1+r.Int32N(4), 1+r.Int32N(6), 1+r.IntN(4)
	yaml := fmt.Sprintf("sources: [{topic: a}, {topic: b}]\ntraits: [{name: \"{split}\", not_served: clear}]\n"+
		"output: {partitions: %d}\nprocessor: {workers: %d, session_timeout: 6s, commit_interval: %dms, flush_interval: %s}\n",
		tasks, workers, 1+r.IntN(500), []string{"0s", "200ms", "5s", "5m"}[r.IntN(4)])
	inBubble(t, yaml, map[string]int32{"b": strays}, func(b *bubble) {
		b.transactionVersion(1 + int16(seed%2))
		c := &chaos{Rand: r, b: b, in: newInput(b, seed)}
		c.in.steady = r.IntN(2) == 0
		for range 3 + c.IntN(8) {
			c.in.put(1 + c.IntN(30))
			c.event()
			c.pass()
		}
		c.calm()
		b.settle()
		b.check(b.dirs...)
		if seed%4 == 0 { // it reads all there is, for each folder
			b.verify()
		}
	})
}

// chaos makes things happen to a bubble.
type chaos struct {
	*rand.Rand
	b      *bubble
	in     *input
	free   []string // of those that are gone
	faults []*kfake.FaultHandle
	jobs   []*schemas.Job // all that were begun
	over   atomic.Bool
}

func (c *chaos) event() {
	b := c.b
	if len(b.alive) == 0 {
		c.start()
		return
	}
	p := b.alive[c.IntN(len(b.alive))]
	switch c.IntN(11) {
	case 0, 1:
		if len(b.alive) < 3 {
			c.start()
		}
	case 2: // SIGTERM
		p.o.Leave = c.IntN(2) == 0
		_ = b.end(p) // with brokers that don't answer it is told so
		c.free = append(c.free, p.dir)
	case 3: // kill -9
		b.kill(p)
		c.free = append(c.free, p.dir)
	case 4: // and a restart at once
		b.kill(p)
		c.run(p.dir)
	case 5:
		c.disturb(p)
	case 6:
		topic := []string{"a", "b"}[c.IntN(2)]
		if b.topics.Sources[topic].Partitions < 8 {
			b.addPartition(topic)
		}
	case 7:
		c.replay()
	default:
		c.fault()
	}
}

// replay begins a job, or has one that is not over go on, rest or end.
func (c *chaos) replay() {
	if len(c.jobs) > 0 && c.IntN(3) == 0 {
		states := []schemas.JobState{schemas.JobRunning, schemas.JobPaused, schemas.JobCancelled}
		c.b.turnJob(c.jobs[c.IntN(len(c.jobs))], states[c.IntN(3)])
		return
	}
	emits := []schemas.JobEmit{schemas.EmitChanges, schemas.EmitAll, schemas.EmitNone}
	r := ReplayRequest{Emit: emits[c.IntN(3)], Rate: []int64{0, 0, 20}[c.IntN(3)]}
	if c.IntN(4) == 0 {
		r.Users = []string{"k1", "k2", "s1", "s2", "s3"}[c.IntN(3):]
	}
	if c.IntN(4) == 0 {
		r.Splits = []string{"f0", "f2"}
	}
	if c.IntN(4) == 0 {
		r.From = time.UnixMilli(noon + c.Int64N(c.in.clock+1))
	}
	if c.IntN(4) == 0 {
		r.To = time.UnixMilli(noon + c.Int64N(c.in.clock+1))
	}
	if job := c.b.replayed(r); job != nil {
		c.jobs = append(c.jobs, job)
	}
}

// start runs a process on the folder of one that is gone, or on an empty one.
func (c *chaos) start() {
	if len(c.free) > 0 && c.IntN(3) > 0 {
		dir := c.free[0]
		c.free = c.free[1:]
		c.run(dir)
		return
	}
	c.run(c.b.t.TempDir())
}

func (c *chaos) run(dir string) { c.b.start(dir, nil) }

// disturb breaks a process's network for a while.
func (c *chaos) disturb(p *process) {
	switch c.IntN(4) {
	case 0:
		p.cable.sever()
	case 1:
		p.cable.deafen()
	case 2:
		p.cable.hold()
	case 3: // when the next transaction ends
		mend := c.while()
		c.b.cluster.ControlKey(kmsg.EndTxn.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.b.cluster.DropControl()
			if !c.over.Load() {
				p.cable.deafen()
				time.AfterFunc(mend, p.cable.mend)
			}
			return nil, nil, false
		})
		return
	}
	time.AfterFunc(c.while(), p.cable.mend)
}

// fault makes the broker refuse the next few requests of a kind.
func (c *chaos) fault() {
	f := refusals[c.IntN(len(refusals))]
	c.faults = append(c.faults, c.b.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{f.key}, Err: f.err[c.IntN(len(f.err))], Count: 1 + c.IntN(3), TopLevel: f.top, When: ofProcesses,
	}))
}

// ofProcesses tells whether a request comes from a process, and not from the
// test.
func ofProcesses(r kmsg.Request) bool {
	p, ok := r.(*kmsg.ProduceRequest)
	return !ok || p.TransactionID != nil
}

// while is some time, mostly shorter than a session.
func (c *chaos) while() time.Duration {
	longest := []time.Duration{500 * time.Millisecond, 5 * time.Second, 20 * time.Second}[c.IntN(3)]
	return time.Duration(c.Int64N(int64(longest)))
}

func (c *chaos) pass() {
	if c.IntN(3) > 0 {
		c.b.pass(c.while())
	}
	for _, p := range c.b.alive {
		select {
		case <-p.ended:
			c.b.t.Fatalf("a process has ended by itself: %v", p.err)
		default:
		}
	}
}

// calm takes all faults away.
func (c *chaos) calm() {
	c.over.Store(true)
	for _, f := range c.faults {
		f.Remove()
	}
	if len(c.b.alive) == 0 {
		c.start()
	}
	for _, p := range c.b.alive {
		p.cable.mend()
	}
}
