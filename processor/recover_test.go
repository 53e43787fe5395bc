package processor

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/config"
	"traitstream/schemas"
)

// recreateControl deletes the control topic and creates it again, as an operator might.
func (b *bubble) recreateControl() {
	b.t.Helper()
	adm, name := kadm.NewClient(b.client), b.topics.Control.Name
	if _, err := adm.DeleteTopic(b.t.Context(), name); err != nil {
		b.t.Fatal(err)
	}
	compact := "compact"
	if _, err := adm.CreateTopic(b.t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, name); err != nil {
		b.t.Fatal(err)
	}
	b.client.PurgeTopicsFromClient(name)
}

// redefined has a process merge something, and go over to other definitions.
func (b *bubble) redefined() (*input, *process) {
	b.t.Helper()
	in := newInput(b, 1)
	p := b.start(b.t.TempDir(), nil)
	in.put(500)
	b.caughtUp(b.t.Context())
	b.define(variants[1], 0)
	b.inForce()
	return in, p
}

// states are those of all generations, from the first.
func (b *bubble) states() (all []schemas.DefinitionsState) {
	b.t.Helper()
	list, err := NewJobs(b.client, b.cfg, b.topics).Generations(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, d := range list {
		all = append(all, d.State)
	}
	return all
}

// Processes that run write down again what a control topic had that is deleted, also
// what was on its way.
func TestControlTopicIsRecreated(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in, p := b.redefined()
		d, _ := b.define(variants[3], 50)
		job := b.replayed(ReplayRequest{Emit: schemas.EmitChanges, Rate: 50})
		b.pass(3 * time.Second)
		b.recreateControl()
		b.start(b.t.TempDir(), nil) // tasks go to a process that has not seen the old one
		b.pass(20 * time.Second)
		until(b.t, "the definitions are in force", func() bool {
			b.pass(time.Second)
			all := b.states()
			return slices.Equal(all, []schemas.DefinitionsState{schemas.DefinitionsInForce, schemas.DefinitionsInForce}) && d.Generation == 2
		})
		b.jobEnds(job.ID)
		if err := b.end(p); err != nil {
			b.t.Error(err)
		}
		in.put(50)
		b.settle()
		b.check(b.dirs...)
	})
}

// A process that starts with other definitions, after the control topic was deleted, leaves
// those in force that the processes that run are computing by.
func TestBeginWithoutTheControlTopic(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 1)
		if err := NewJobs(b.client, b.cfg, b.topics).Begin(b.t.Context(), b.connect); err != nil {
			b.t.Fatal(err)
		}
		b.start(b.t.TempDir(), nil)
		in.put(100)
		b.caughtUp(b.t.Context())
		b.pass(10 * time.Second)
		b.recreateControl()
		other := *b.cfg
		other.Traits = b.parsed(variants[3])
		j := NewJobs(b.client, &other, b.topics)
		if err := j.Begin(b.t.Context(), b.connect); err != nil {
			b.t.Fatal(err)
		}
		all, err := j.Generations(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		_, hash, err := config.Definitions(b.cfg.Traits)
		if err != nil || len(all) != 1 || all[0].Hash != hash {
			b.t.Errorf("%v, %v", all, err)
		}
		b.settle()
		b.check(b.dirs...)
	})
}

// Where nobody runs, the first definitions are not lost without a word either.
func TestRecoverTheFirst(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in, j := newInput(b, 1), NewJobs(b.client, b.cfg, b.topics)
		if err := j.Begin(b.t.Context(), b.connect); err != nil {
			b.t.Fatal(err)
		}
		p := b.start(b.t.TempDir(), nil)
		in.put(100)
		b.caughtUp(b.t.Context())
		if err := b.end(p); err != nil {
			b.t.Fatal(err)
		}
		b.recreateControl()
		j = NewJobs(b.client, b.cfg, b.topics)
		if err := j.Begin(b.t.Context(), b.connect); err == nil || !strings.Contains(err.Error(), "definitions recover") {
			b.t.Errorf("they were begun with: %v", err)
		}
		numbers, err := j.Recover(b.t.Context(), b.connect, DefineRequest{Traits: b.cfg.Traits})
		if err != nil || !slices.Equal(numbers, []uint32{0}) {
			b.t.Errorf("recovered %v, %v", numbers, err)
		}
		if err := j.Begin(b.t.Context(), b.connect); err != nil {
			b.t.Error(err)
		}
		b.start(p.dir, nil)
		in.put(50)
		b.settle()
		b.check(b.dirs...)
	})
}

// Where nobody runs who knows the definitions, tasks can't be computed; whoever has
// their text writes it down again, and all goes on as it was.
func TestRecover(t *testing.T) {
	for _, far := range []schemas.DefinitionsState{schemas.DefinitionsInForce, schemas.DefinitionsPreparing, schemas.DefinitionsSwitching} {
		t.Run(string(far), func(t *testing.T) {
			inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
				in, p := b.redefined()
				if far != schemas.DefinitionsInForce {
					b.define(variants[3], 100)
				}
				until(b.t, "it is that far", func() bool { all := b.states(); return all[len(all)-1] == far })
				b.pass(5 * time.Second)
				if err := b.end(p); err != nil {
					b.t.Fatal(err)
				}
				b.recreateControl()
				p = b.start(p.dir, nil)
				<-p.ended
				if p.err == nil || !strings.Contains(p.err.Error(), "definitions recover") {
					b.t.Fatalf("it has ended with %v", p.err)
				}
				b.bury(p)
				b.recover(variants[1])
				b.start(p.dir, nil)
				in.put(50)
				b.caughtUp(b.t.Context())
				b.define(variants[4], 0)
				b.inForce()
				b.settle()
				b.check(b.dirs...)
			})
		})
	}
}

// Definitions that no task had heard of when the control topic was deleted are given up
// too: each task meets their number in its inbox.
func TestRecoverWhatNobodyHasHeardOf(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in, p := b.redefined()
		b.pass(5 * time.Second)
		if err := b.end(p); err != nil {
			b.t.Fatal(err)
		}
		b.define(variants[3], 0)
		b.recreateControl()
		b.recover(variants[1])
		if all := b.states(); !slices.Equal(all, []schemas.DefinitionsState{schemas.DefinitionsInForce, schemas.DefinitionsCancelled}) {
			b.t.Errorf("the generations are %v", all)
		}
		b.start(p.dir, nil)
		in.put(50)
		b.caughtUp(b.t.Context())
		b.define(variants[4], 0)
		b.inForce()
		b.settle()
		b.check(b.dirs...)
	})
}

// recover writes definitions down again, which can't be done twice.
func (b *bubble) recover(v someDefinitions) {
	b.t.Helper()
	c, err := config.Parse("test.yaml", []byte("traits: "+v.yaml), func(string) (string, bool) { return "", false })
	if err != nil {
		b.t.Fatal(err)
	}
	j := NewJobs(b.client, b.cfg, b.topics)
	lost, err := j.Recover(b.t.Context(), b.connect, DefineRequest{Traits: c.Traits})
	if err != nil || len(lost) == 0 {
		b.t.Fatalf("%v, %v", lost, err)
	}
	if _, err := j.Recover(b.t.Context(), b.connect, DefineRequest{Traits: c.Traits}); !errors.Is(err, ErrNothingLost) {
		b.t.Errorf("once more: %v", err)
	}
}
