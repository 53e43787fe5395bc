package processor

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/config"
	"traitstream/internal/oracle"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
	"traitstream/verify"
)

// someDefinitions are definitions in words of both sides.
type someDefinitions struct {
	yaml   string
	oracle []oracle.Definition
}

func plainDefinition(name string, where ...oracle.Cond) oracle.Definition {
	return oracle.Definition{Name: name, Event: "get_treatment", Property: "treatment", NotServed: "clear", Where: where}
}

// variants are what the definitions of a bubble may be changed to.
var variants = []someDefinitions{
	{`[{name: "{split}", not_served: clear}]`, []oracle.Definition{plainDefinition("{split}")}},
	{`[{name: "{split}", not_served: clear}, {name: "seen_{split}", not_served: clear}]`,
		[]oracle.Definition{plainDefinition("{split}"), plainDefinition("seen_{split}")}},
	{`[{name: "{split}", not_served: clear, where: {treatment: [on, "off"]}}]`,
		[]oracle.Definition{plainDefinition("{split}", oracle.Cond{Property: "treatment", Operator: "one_of", Operands: []string{"on", "off"}})}},
	{`[{name: "other_{split}", not_served: clear}]`, []oracle.Definition{plainDefinition("other_{split}")}},
	{`[{name: "{split}", where: {split: f1}, not_served: clear}, {name: "f2", where: {split: f2}, not_served: clear}]`,
		[]oracle.Definition{
			plainDefinition("{split}", oracle.Cond{Property: "split", Operator: "equals", Operands: []string{"f1"}}),
			plainDefinition("f2", oracle.Cond{Property: "split", Operator: "equals", Operands: []string{"f2"}}),
		}},
	{`[{name: "{split}", not_served: ignore}]`, []oracle.Definition{{Name: "{split}", Event: "get_treatment", Property: "treatment", NotServed: "ignore"}}},
}

func (b *bubble) parsed(v someDefinitions) []trait.Definition {
	b.t.Helper()
	c, err := config.Parse("test.yaml", []byte("traits: "+v.yaml), func(string) (string, bool) { return "", false })
	if err != nil {
		b.t.Fatal(err)
	}
	return c.Traits
}

// define begins to go over to other definitions; false where others are on their way.
func (b *bubble) define(v someDefinitions, rate int64) (*schemas.Definitions, bool) {
	b.t.Helper()
	j, traits := NewJobs(b.client, b.cfg, b.topics), b.parsed(v)
	for range 100 {
		d, err := j.Define(b.t.Context(), b.connect, DefineRequest{Traits: traits, Rate: rate})
		if err == nil {
			b.defs = v.oracle
			return d, true
		}
		if errors.Is(err, ErrOverlap) {
			return nil, false
		}
		b.pass(time.Second)
	}
	b.t.Fatal("no definitions can be changed")
	return nil, false
}

// inForce waits until no definitions are on their way.
func (b *bubble) inForce() {
	b.t.Helper()
	j := NewJobs(b.client, b.cfg, b.topics)
	for range 600 {
		all, err := j.Generations(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		if !slices.ContainsFunc(all, func(d schemas.Definitions) bool {
			return d.State == schemas.DefinitionsPreparing || d.State == schemas.DefinitionsSwitching
		}) {
			return
		}
		b.pass(time.Second)
	}
	list, _ := j.List(b.t.Context())
	b.t.Fatalf("definitions are still on their way: %+v", list)
}

// Whatever definitions are changed to, the traits are in the end what they would be
// with these from the start.
func TestDefine(t *testing.T) {
	for i, v := range variants[1:] {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
				in := newInput(b, 1)
				b.start(t.TempDir(), nil)
				in.put(500)
				b.caughtUp(b.t.Context())
				b.define(v, 0)
				for range 20 {
					in.put(20)
					b.pass(300 * time.Millisecond)
				}
				b.inForce()
				in.put(50)
				b.settle()
				b.check(b.dirs...)
			})
		})
	}
}

// Of processes that start for the first time at once, with other files, one puts its
// definitions in force, for all.
func TestBeginAtOnce(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		var starting sync.WaitGroup
		for _, v := range variants {
			cfg := *b.cfg
			cfg.Traits = b.parsed(v)
			starting.Go(func() {
				if err := NewJobs(b.client, &cfg, b.topics).Begin(b.t.Context(), b.connect); err != nil {
					t.Error(err)
				}
			})
		}
		starting.Wait()
		begun := 0
		for _, r := range b.read(b.topics.Control)[0] {
			if _, ok, err := schemas.ParseDefinitions(r.Key, r.Value); ok && err == nil {
				begun++
			}
		}
		if begun != 1 {
			t.Errorf("definitions were put in force %d times", begun)
		}
	})
}

// Whatever happens while definitions are on their way, one generation after the other,
// some of them given up, the traits are in the end what the last ones make of all that
// was ever seen.
//
//	TRAITSTREAM_TEST_SEED=7 go test ./processor -run RandomDefinitions -count 20
func TestRandomDefinitions(t *testing.T) {
	t.Parallel()
	withSeeds(t, 60, randomDefinitions)
}

func randomDefinitions(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	tasks, strays, workers := 1+r.Int32N(4), 1+r.Int32N(6), 1+r.IntN(3)
	yaml := fmt.Sprintf("sources: [{topic: a}, {topic: b}]\ntraits: [{name: \"{split}\", not_served: clear}]\n"+
		"output: {partitions: %d}\nprocessor: {workers: %d, session_timeout: 6s, commit_interval: %dms, flush_interval: %s}\n",
		tasks, workers, 1+r.IntN(500), []string{"0s", "200ms", "5m"}[r.IntN(3)])
	inBubble(t, yaml, map[string]int32{"b": strays}, func(b *bubble) {
		b.transactionVersion(1 + int16(seed%2))
		c := &chaos{Rand: r, b: b, in: newInput(b, seed)}
		c.in.steady = r.IntN(2) == 0
		b.replaceAtOnce = []int{0, 1, 4}[r.IntN(3)]
		b.defs = variants[0].oracle
		if err := NewJobs(b.client, b.cfg, b.topics).Begin(b.t.Context(), b.connect); err != nil {
			b.t.Fatal(err)
		}
		s := newSubscriber(b)
		for range 4 + c.IntN(10) {
			c.in.put(1 + c.IntN(30))
			s.read()
			switch c.IntN(5) {
			case 0, 1:
				c.define()
			default:
				c.event()
			}
			c.pass()
			if c.IntN(6) == 0 {
				b.verifyMeanwhile()
			}
		}
		c.calm()
		b.inForce()
		all := b.generations()
		b.defs = all[len(all)-1].oracle // who asked may have been told of a fault though it was done
		c.in.put(10)
		b.settle()
		b.check(b.dirs...)
		b.verify()
		s.read()
		s.check()
	})
}

// define begins to go over to other definitions, or gives those up that are on their
// way.
func (c *chaos) define() {
	d, ok := c.b.define(variants[c.IntN(len(variants))], []int64{0, 0, 30}[c.IntN(3)])
	if ok && c.IntN(3) == 0 { // some come while they take the place of those before
		for range 40 {
			c.in.put(1)
			c.b.pass(100 * time.Millisecond)
		}
	}
	if !ok || c.IntN(4) > 0 {
		return
	}
	c.pass()
	_ = NewJobs(c.b.client, c.b.cfg, c.b.topics).Undefine(c.b.t.Context(), c.b.connect, d.Generation) // it may be too late
}

// A task that comes to the last of the history and to the Switch in one poll has merged
// the one before it heeds the other.
func TestHistoryBeforeSwitch(t *testing.T) {
	yaml := strings.Replace(bubbleYAML, "{partitions: 3}", "{partitions: 2}", 1)
	yaml = strings.Replace(yaml, "session_timeout: 6s", "session_timeout: 40s, workers: 1", 1)
	inBubble(t, yaml, map[string]int32{"b": 2}, func(b *bubble) {
		for n := range 2 {
			b.start(b.t.TempDir(), nil)
			until(b.t, "it has a task", func() bool {
				_, ok := b.withTask(int32(n))
				return ok && b.alive[n].Ready()
			})
		}
		b.pass(20 * time.Second)
		var history []*kgo.Record
		for i := 0; len(history) < 400; i++ {
			if user := fmt.Sprint("s", i); kafka.Partition([]byte(user), 2) == 1 {
				r := b.webhook(user, "f", "on", 0)
				r.Partition = 0
				history = append(history, r)
			}
		}
		b.put(history...)
		b.caughtUp(b.t.Context())
		d, _ := b.define(variants[1], 100)
		b.pass(4 * time.Second)
		p, ok := b.withTask(1)
		if other, _ := b.withTask(0); !ok || p == other {
			b.t.Fatal("one process has both tasks")
		}
		b.kill(p)
		j := NewJobs(b.client, b.cfg, b.topics)
		until(b.t, "all history is read", func() bool {
			b.pass(time.Second)
			all, err := j.Generations(b.t.Context())
			return err == nil && all[len(all)-1].Generation == d.Generation && all[len(all)-1].State == schemas.DefinitionsSwitching
		})
		b.start(p.dir, nil)
		b.inForce()
		b.settle()
		b.check(b.dirs...)
	})
}

// The history of a source is not left out where the broker has not told of it.
func TestDefineWithoutLeader(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 1)
		b.start(t.TempDir(), nil)
		in.put(300)
		b.caughtUp(b.t.Context())
		// It keeps for some seconds what it was told.
		refused := once(b.cluster, kmsg.Metadata, func(r kmsg.Request) kmsg.Response {
			req := r.(*kmsg.MetadataRequest)
			if len(req.Topics) != 3 { // sources and inbox, whose lag is measured
				return nil
			}
			resp := req.ResponseKind().(*kmsg.MetadataResponse)
			for _, of := range req.Topics {
				resp.Topics = append(resp.Topics, kmsg.MetadataResponseTopic{Topic: of.Topic, ErrorCode: kerr.LeaderNotAvailable.Code})
			}
			return resp
		})
		until(b.t, "it is refused", func() bool {
			b.pass(100 * time.Millisecond)
			return refused.Load() > 0
		})
		b.define(variants[1], 0)
		b.inForce()
		b.settle()
		b.check(b.dirs...)
	})
}

// A verification while tasks go over to other definitions says how many do, and takes
// nothing for wrong that may be either.
func TestVerifyWhileReplacing(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		b.replaceAtOnce = 1
		b.start(t.TempDir(), nil)
		newInput(b, 1).put(500)
		b.caughtUp(b.t.Context())
		b.define(variants[3], 0)
		until(b.t, "a task goes over", func() bool {
			b.pass(20 * time.Millisecond)
			report, err := b.verifyWith(nil)
			return err == nil && report.Replacing > 0
		})
		b.inForce()
		if report, err := b.verifyWith(nil); err != nil || report.Replacing > 0 || len(report.Unverifiable) > 0 {
			t.Errorf("verify tells %+v, %v", report, err)
		}
	})
}

// A none that is all that a definition ever saw of a user, and that stays where another
// one can yield its name, is no difference when the definition is gone.
func TestVerifyNoneOfADefinitionThatIsGone(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		b.start(t.TempDir(), nil)
		b.define(variants[1], 0)
		b.inForce()
		b.put(b.webhook("u", "f", "control", 0))
		b.caughtUp(b.t.Context())
		b.define(variants[0], 0)
		b.inForce()
		b.settle()
		if report := b.verify(); report.Unverifiable[verify.DefinitionGone] != 1 {
			b.t.Errorf("verify tells %+v", report)
		}
	})
}

// withTask returns the process that has a task.
func (b *bubble) withTask(number int32) (*process, bool) {
	for _, p := range b.alive {
		for _, w := range p.workers {
			if w.tasks.owns(number) != nil {
				return p, true
			}
		}
	}
	return nil, false
}

// Who has found out what is next with definitions, and is overtaken by another who gives
// them up, writes nothing any more: they would be on their way for ever.
func TestOneDecides(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 1)
		b.start(t.TempDir(), nil)
		in.put(300)
		b.caughtUp(b.t.Context())
		d, _ := b.define(variants[1], 1)
		b.pass(5 * time.Second)
		j := NewJobs(b.client, b.cfg, b.topics)
		err := j.o.transact(b.t.Context(), b.connect, func() ([]*kgo.Record, error) {
			switching := *d
			switching.State = schemas.DefinitionsSwitching
			err := j.Undefine(b.t.Context(), b.connect, d.Generation)
			return append(j.o.commands(schemas.Switch, d.Generation), j.o.controlRecords(&switching, nil)...), err
		})
		if err == nil {
			b.t.Error("both have written")
		}
		b.inForce()
		if all, err := j.Generations(b.t.Context()); err != nil || all[len(all)-1].State != schemas.DefinitionsCancelled {
			b.t.Errorf("generations are %+v, %v", all, err)
		}
		if _, ok := b.define(variants[3], 0); !ok {
			b.t.Error("no other definitions can be put in force")
		}
		b.inForce()
		b.settle()
		b.check(b.dirs...)
	})
}

// A trait that a changed definition lets expire is looked for, though nobody is seen.
func TestDefineExpiry(t *testing.T) {
	yaml := strings.Replace(expiryYAML, `"{split}"`, `"a_{split}"`, 1)
	yaml = strings.Replace(yaml, "90s}]", `90s}, {name: "{split}"}]`, 1)
	inBubble(t, yaml, nil, func(b *bubble) {
		b.start(t.TempDir(), nil)
		b.put(b.live("u", "f", "on", 0))
		b.pass(5 * time.Minute)
		b.wantStory("u", "a_f", `"on"< expired`)
		b.wantStory("u", "f", `"on"<`)
		b.define(someDefinitions{yaml: `[{name: "a_{split}", expire_after: 90s}, {name: "{split}", expire_after: 90s}]`}, 0)
		b.inForce()
		b.pass(90*time.Second + sweepSlack)
		b.wantStory("u", "f", `"on"< expired`)
	})
}

// What history has of a trait that has expired by new definitions is not sent.
func TestDefineExpired(t *testing.T) {
	yaml := strings.Replace(expiryYAML, ", expire_after: 90s", "", 1)
	inBubble(t, yaml, nil, func(b *bubble) {
		b.start(t.TempDir(), nil)
		b.put(b.live("u", "f", "on", 10*time.Minute), b.live("v", "f", "on", 0))
		b.caughtUp(b.t.Context())
		b.define(someDefinitions{yaml: `[{name: "{split}"}, {name: "a_{split}", expire_after: 90s}]`}, 0)
		b.inForce()
		b.wantStory("u", "a_f", "")
		b.wantStory("v", "a_f", `"on"<`)
		b.pass(90*time.Second + sweepSlack)
		b.wantStory("v", "a_f", `"on"< expired`)
	})
}

// What takes longer to write than the broker lets a transaction be open, of history or
// of the traits that are replaced, is done in smaller parts.
func TestDefiningTakesTooLong(t *testing.T) {
	yaml := strings.Replace(bubbleYAML, "{partitions: 3}", "{partitions: 1}", 1)
	for slow, state := range map[time.Duration]schemas.DefinitionsState{
		60 * time.Millisecond:  schemas.DefinitionsSwitching,
		100 * time.Millisecond: schemas.DefinitionsPreparing,
	} {
		t.Run(string(state), func(t *testing.T) {
			inBubble(t, yaml, map[string]int32{"b": 1}, func(b *bubble) {
				var all []*kgo.Record
				noise, r := make([]byte, 200), rand.NewChaCha8([32]byte{})
				for i := range 2000 {
					_, _ = r.Read(noise) // never fails
					all = append(all, b.webhook(fmt.Sprint("u", i), "f", hex.EncodeToString(noise), 0))
				}
				b.put(all...)
				p := b.start(t.TempDir(), nil)
				b.caughtUp(b.t.Context())
				b.define(variants[3], 0)
				j := NewJobs(b.client, b.cfg, b.topics)
				until(b.t, "it is that far", func() bool {
					all, err := j.Generations(b.t.Context())
					return err == nil && all[len(all)-1].State == state
				})
				p.cable.narrow(slow)
				b.inForce()
				p.cable.narrow(0)
				b.settle()
				b.check(b.dirs...)
			})
		})
	}
}

// What was read of history is told also by a process that comes while the definitions
// are replaced.
func TestDefineTellsWhatWasRead(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 1)
		p := b.start(b.t.TempDir(), func(p *process) {
			p.o.at = func(n int, at boundary) error {
				for _, plan := range p.workers[n].plans {
					if at == applied && plan.Phase == schemas.Replacing {
						return errors.New("it crashes while a task goes over")
					}
				}
				return nil
			}
		})
		in.put(500)
		b.caughtUp(b.t.Context())
		d, _ := b.define(variants[1], 0)
		<-p.ended
		before := b.job(d.JobID()).Reports
		b.bury(p)
		b.start(p.dir, nil)
		b.inForce()
		after := b.job(d.JobID()).Reports
		for i, was := range before {
			if now := after[i]; was.Read == 0 || now.Read != was.Read || now.Total != was.Total {
				b.t.Errorf("task %d has told %+v, and then %+v", was.Task, was, now)
			}
		}
	})
}
