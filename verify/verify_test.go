package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What was processed is as it must be, and all of it was looked at.
func TestCleanAfterARun(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	r := w.clean()
	if r.Records != 48 || r.Impressions != 48 || r.Traits != 16 || r.Changes != 32 || r.State != 16 || r.InFlux != 0 || len(r.Unverifiable) != 0 {
		t.Errorf("%+v", r)
	}
	if len(r.Passes) != 1 || len(r.Passes[0].Ranges) != 9 {
		t.Errorf("passes %+v, want one over three partitions of source, changelog and traits topic", r.Passes)
	}
	for _, at := range r.Passes[0].Ranges {
		if at.From != 0 || at.To < 5 || at.To != at.Until {
			t.Errorf("a range %+v of a group that is done", at)
		}
	}
}

// Whatever the shape of the sources and the definitions: users in foreign
// partitions, several users in a record, several sources and identities,
// definitions that meet, traits that are cleared or stored.
func TestCleanInAllShapes(t *testing.T) {
	w := newWorld(t, `
sources: [{topic: a, environment: Prod}, {topic: b, identity: anonymous}]
traits:
  - {name: "{split}", not_served: clear, where: {environmentName: Prod, label: {not_contains: employees}}}
  - {name: "{split} in {environmentName}", not_served: store}
  - {name: seen, any: [{treatment: "on"}, {splitVersionNumber: {at_least: 8}}]}
output: {partitions: 2}
`, 2)
	random := rand.New(rand.NewPCG(1, 2))
	one := func() string {
		return fmt.Sprintf(`{"key":"u%d","split":"f%d","treatment":%q,"time":%d,"label":%q,"splitVersionNumber":%d}`,
			random.IntN(20), random.IntN(3), []string{"on", "off", "control"}[random.IntN(3)], noon+random.IntN(50),
			[]string{"default rule", "fallback - no"}[random.IntN(2)], 6+random.IntN(4))
	}
	for i := range 400 {
		value := one()
		if i%5 == 0 {
			value = "[" + strings.Join([]string{value, one(), "7", one()}, ",") + "]"
		}
		w.put(&kgo.Record{Topic: []string{"a", "b"}[i%2], Partition: int32(i % 4 / 2), Value: []byte(value)})
		if i == 200 {
			w.run()
		}
	}
	w.run()
	r := w.clean()
	if r.Impressions != 640 || r.Traits < 150 || r.Changes <= r.Traits || r.State != r.Traits {
		t.Errorf("%+v", r)
	}
}

// The group is at work all the time, half of it by way of the inbox. Nothing is
// called a difference that is none.
func TestCleanWhileRunning(t *testing.T) {
	w := newWorld(t, "", 4)
	ctx, stop := context.WithCancel(w.limit())
	working, loading := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(working)
		w.process(ctx, false)
	}()
	go func() {
		defer close(loading)
		pause := time.NewTicker(10 * time.Millisecond)
		defer pause.Stop()
		for i := int64(0); ctx.Err() == nil; i++ {
			<-pause.C
			var batch []*kgo.Record
			for n := range int64(50) {
				r := w.webhook(fmt.Sprintf("u%d", (i*7+n)%40), "f", []string{"on", "off"}[(i+n/3)%2], i*100+n)
				if n%2 == 0 {
					r = w.elsewhere(r)
				}
				batch = append(batch, r)
			}
			if err := w.client.ProduceSync(ctx, batch...).FirstErr(); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}()
	for moved, rounds := 0, 0; moved < 3; {
		r, all := w.verifyWith()
		for _, d := range all {
			t.Errorf("%s: %s %s: %s", d.Kind, d.User, d.Trait, d.Message)
		}
		if r.InFlux > 0 {
			moved++
		}
		if r.Records > 0 {
			rounds++
		}
		if t.Failed() || rounds == 100 {
			t.Fatalf("after %d rounds something was in flux in %d", rounds, moved)
		}
	}
	stop()
	<-working
	<-loading
	w.run()
	if r := w.clean(); r.Traits != 40 || r.InFlux != 0 {
		t.Errorf("%+v", r)
	}
}

// Passes over a few tasks each come to the same as one over all; tasks that are
// named are verified alone.
func TestPasses(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	wrong["an older impression that has won"].do(w)
	for name, o := range map[string]func(*Options){
		"all at once": func(*Options) {},
		"one by one":  func(o *Options) { o.Memory = 1 },
		"of one task": func(o *Options) { o.Tasks = []int32{w.task()} },
	} {
		r, all := w.verify(o)
		passes := map[string]int{"one by one": 3}[name]
		if len(r.Passes) != max(1, passes) || len(all) != 1 || all[0].User != "u3" {
			t.Errorf("%s: passes %+v, differences %+v", name, r.Passes, all)
		}
		if r.Traits != 16 && name != "of one task" || r.State != r.Traits {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r, all := w.verify(func(o *Options) { o.Tasks = []int32{(w.task() + 1) % 3} }); len(all) > 0 || r.Traits == 0 || r.Traits == 16 {
		t.Errorf("another task: %+v, %+v", r, all)
	}
}

// A verification joins no group, commits nothing and writes nothing.
func TestNothingIsWritten(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	ends := func() string {
		adm := kadm.NewClient(w.client)
		topics, err := adm.ListEndOffsets(w.limit())
		noError(t, err)
		groups, err := adm.DescribeGroups(w.limit())
		noError(t, err)
		offsets, err := adm.FetchOffsets(w.limit(), w.cfg.Group())
		noError(t, err)
		var all []string
		topics.Each(func(o kadm.ListedOffset) { all = append(all, fmt.Sprint(o.Topic, o.Partition, o.Offset)) })
		offsets.Each(func(o kadm.OffsetResponse) { all = append(all, fmt.Sprint(o.Topic, o.Partition, o.At, o.Metadata)) })
		for _, g := range groups.Sorted() {
			all = append(all, fmt.Sprint(g.Group, g.State, len(g.Members)))
		}
		slices.Sort(all)
		return strings.Join(all, "\n")
	}
	before := ends()
	w.clean()
	if after := ends(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// Neither an end of the context nor an error of who is told passes for a
// verification.
func TestUnfinished(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	wrong["a removal in the traits topic"].do(w)
	o := Options{Config: w.cfg, Topics: w.topics, Client: w.client}
	errFull := errors.New("full")
	if r, err := Run(w.limit(), o, func(Difference) error { return errFull }); !errors.Is(err, errFull) || r != nil {
		t.Errorf("%v, %v", r, err)
	}
	for _, stage := range []string{StageOutputs, StageSources, StageAgain} {
		ctx, stop := context.WithCancel(w.limit())
		o.Progress = func(at string, _, _ int64) {
			if at == stage {
				stop()
			}
		}
		if r, err := Run(ctx, o, func(Difference) error { return nil }); !errors.Is(err, context.Canceled) || r != nil {
			t.Errorf("%s: %v, %v", stage, r, err)
		}
	}
}

// Progress comes to all that there is to read.
func TestProgress(t *testing.T) {
	w := newWorld(t, "", 1)
	w.fill()
	done, total := map[string]int64{}, map[string]int64{}
	w.clean(func(o *Options) {
		o.Progress = func(stage string, d, t int64) { done[stage], total[stage] = d, t }
	})
	if done[StageSources] != 48 || total[StageSources] != 48 || done[StageOutputs] == 0 || done[StageAgain] != 0 {
		t.Errorf("%v of %v", done, total)
	}
}
