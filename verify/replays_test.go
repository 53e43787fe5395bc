package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/schemas"
	"traitstream/trait"
)

// order puts a job into the control topic as it is.
func (w *world) order(j schemas.Job) {
	w.t.Helper()
	if j.ID == "" {
		j.ID = "j1"
	}
	if j.Ranges == nil {
		j.Ranges = w.whole()
	}
	w.put(&kgo.Record{Topic: w.topics.Control.Name, Key: j.Key(), Value: j.Value()})
}

// whole are the ranges of all that stands in the sources.
func (w *world) whole() (all []schemas.JobRange) {
	w.t.Helper()
	for topic := range w.topics.Sources {
		logs, err := kafka.Logs(w.limit(), w.client, topic)
		noError(w.t, err)
		for number, log := range logs {
			all = append(all, schemas.JobRange{Topic: topic, Partition: number, From: log.From, To: log.To})
		}
	}
	return all
}

// replay has a job done.
func (w *world) replay(r processor.ReplayRequest) *schemas.Job {
	w.t.Helper()
	jobs := processor.NewJobs(w.client, w.cfg, w.topics)
	plan, err := jobs.Plan(w.limit(), r)
	noError(w.t, err)
	noError(w.t, jobs.Put(w.limit(), &plan.Job))
	ctx, stop := context.WithCancel(w.limit())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.process(ctx, false)
	}()
	for over := false; !over; {
		select {
		case <-ctx.Done():
			w.t.Fatal("the job does not end")
		case <-time.After(50 * time.Millisecond):
		}
		all, err := jobs.List(w.limit())
		noError(w.t, err)
		over = slices.ContainsFunc(all, func(s processor.JobStatus) bool { return s.Job.ID == plan.Job.ID && s.Job.State.Over() })
	}
	stop()
	<-done
	return &plan.Job
}

// beginsLate has the group say that it has begun behind all that it has read.
func (w *world) beginsLate() {
	w.t.Helper()
	w.note(func(o kadm.Offset) string { return schemas.OffsetNote{Owner: "x", Start: o.At}.String() })
}

// What a replay has read of what lies before the group's beginning was merged for
// certain if it is done, and perhaps if not; what it was not about was not.
func TestReplayedBeforeTheGroup(t *testing.T) {
	t.Parallel()
	of := func(state schemas.JobState) schemas.Job { return schemas.Job{State: state, Emit: schemas.EmitChanges} }
	part := of(schemas.JobDone)
	part.Identity, part.Users, part.Splits = "user", []string{"u3", "u4"}, []string{"f"}
	anonymous := of(schemas.JobDone)
	anonymous.Identity = "anonymous"
	all := of(schemas.JobDone)
	all.Emit, all.Ranges = schemas.EmitAll, []schemas.JobRange{}
	former := of(schemas.JobDone)
	former.Ranges = []schemas.JobRange{{Topic: "impressions", TopicID: "another", Partition: 0, To: 10}}
	older := of(schemas.JobDone)
	older.Ranges = []schemas.JobRange{{Topic: "gone", To: 10}}
	for name, c := range map[string]struct {
		jobs         []schemas.Job
		corruption   string
		want         []Kind
		unverifiable map[Reason]int64
		inFlux       int64
	}{
		"none":             {unverifiable: map[Reason]int64{BeforeGroup: 16}},
		"done":             {jobs: []schemas.Job{of(schemas.JobDone)}},
		"running":          {jobs: []schemas.Job{of(schemas.JobRunning)}, inFlux: 16},
		"paused":           {jobs: []schemas.Job{of(schemas.JobPaused)}, inFlux: 16},
		"cancelled":        {jobs: []schemas.Job{of(schemas.JobCancelled)}, unverifiable: map[Reason]int64{ReplayCancelled: 16}},
		"of some":          {jobs: []schemas.Job{part}, unverifiable: map[Reason]int64{BeforeGroup: 14}},
		"of nobody":        {jobs: []schemas.Job{anonymous}, unverifiable: map[Reason]int64{BeforeGroup: 16}},
		"that reads none":  {jobs: []schemas.Job{all}, unverifiable: map[Reason]int64{BeforeGroup: 16}},
		"of another topic": {jobs: []schemas.Job{former, older}, unverifiable: map[Reason]int64{BeforeGroup: 16}},

		"done, behind":              {jobs: []schemas.Job{of(schemas.JobDone)}, corruption: "an older impression that has won", want: []Kind{WrongTrait}},
		"done, of a time":           {jobs: []schemas.Job{of(schemas.JobDone)}, corruption: "a time changed in the changelog", want: []Kind{WrongChangelog}},
		"done, removed":             {jobs: []schemas.Job{of(schemas.JobDone)}, corruption: "a removal in the changelog", want: []Kind{WrongChangelog}},
		"done, told otherwise":      {jobs: []schemas.Job{of(schemas.JobDone)}, corruption: "a label changed in both", want: []Kind{WrongChange}},
		"running, behind":           {jobs: []schemas.Job{of(schemas.JobRunning)}, corruption: "an older impression that has won", inFlux: 16},
		"running, of a time":        {jobs: []schemas.Job{of(schemas.JobRunning)}, corruption: "a time changed in the changelog", want: []Kind{WrongChangelog}, inFlux: 15},
		"running, of what is never": {jobs: []schemas.Job{of(schemas.JobRunning)}, corruption: "a wrong value in the traits topic", want: []Kind{WrongTopic}, inFlux: 15},
		"of some, behind":           {jobs: []schemas.Job{part}, corruption: "an older impression that has won", want: []Kind{WrongTrait}, unverifiable: map[Reason]int64{BeforeGroup: 14}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", 3)
			w.fill()
			if c.corruption != "" {
				wrong[c.corruption].do(w)
			}
			w.beginsLate()
			for i, j := range c.jobs {
				j.ID = fmt.Sprintf("j%d", i)
				w.order(j)
			}
			r, found := w.verify()
			var kinds []Kind
			for _, d := range found {
				kinds = append(kinds, d.Kind)
			}
			if !slices.Equal(kinds, c.want) || !maps.Equal(r.Unverifiable, c.unverifiable) || r.InFlux != c.inFlux {
				t.Errorf("found %+v, and %+v; want %v, %v not verifiable, %d in flux", found, r, c.want, c.unverifiable, c.inFlux)
			}
		})
	}
}

// A job that is done before the cut is taken is done; one that ends or begins
// meanwhile is not.
func TestJobsAtTheCut(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	w.beginsLate()
	before := &orders{jobs: map[string]*schemas.Job{}}
	w.order(schemas.Job{State: schemas.JobDone, Emit: schemas.EmitChanges})
	v := newVerifier(Options{Config: w.cfg, Topics: w.topics, Client: w.client})
	c, err := v.cut(w.limit(), v.o.Tasks)
	noError(t, err)
	after, err := v.orders(w.limit())
	noError(t, err)
	in := c.inputs[partition{"impressions", w.task()}]
	if most, _ := in.again(0, "user", "u3", "f"); most != merged || after.changed {
		t.Errorf("a job that was done stands as %d, rules changed: %v", most, after.changed)
	}
	in.replays = nil
	c.replayed(before, after)
	if most, _ := in.again(0, "user", "u3", "f"); most != underway {
		t.Errorf("a job that was not there stands as %d", most)
	}
}

// silently has the victim's state say what comes last, and the traits topic not. It
// returns where that stands.
func (w *world) silently() *kgo.Record {
	w.t.Helper()
	r := w.webhook("u3", "f", "late", 5000)
	w.put(r)
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{
		Topic: r.Topic, Partition: r.Partition, At: r.Offset + 1, LeaderEpoch: -1, Metadata: schemas.OffsetNote{Owner: "x"}.String(),
	})
	noError(w.t, kadm.NewClient(w.client).CommitAllOffsets(w.limit(), w.cfg.Group(), offsets))
	rec := w.logged()
	rec.Seen = trait.Register{SeenAt: noon + 5000, Version: 7, Treatment: []byte("late"), Value: []byte(`"late"`)}
	w.log(&rec)
	return r
}

// What a job was to fill in without sending it is no difference as long as all else
// is as it was; and it is one without a job that may have done so.
func TestNotSent(t *testing.T) {
	t.Parallel()
	quiet := schemas.Job{State: schemas.JobDone, Emit: schemas.EmitNone}
	loud := quiet
	loud.Emit = schemas.EmitChanges
	ofAnother, otherFlag := quiet, quiet
	ofAnother.Users, otherFlag.Splits = []string{"u4"}, []string{"g"}
	running := quiet
	running.State = schemas.JobRunning
	for name, c := range map[string]struct {
		job  *schemas.Job
		from int64 // behind the impression; 0: all ranges
		more string
		want []Kind
	}{
		"by a job":                     {job: &quiet},
		"by a job that runs":           {job: &running},
		"without a job":                {want: []Kind{WrongChangelog}},
		"by one that sends":            {job: &loud, want: []Kind{WrongChangelog}},
		"by one for others":            {job: &ofAnother, want: []Kind{WrongChangelog}},
		"by one for other flags":       {job: &otherFlag, want: []Kind{WrongChangelog}},
		"by one that has read less":    {job: &quiet, from: 1, want: []Kind{WrongChangelog}},
		"with another value sent":      {job: &quiet, more: "a wrong value in the traits topic", want: []Kind{WrongTopic}},
		"with a removal sent":          {job: &quiet, more: "a removal in the traits topic", want: []Kind{WrongTopic}},
		"with another value logged":    {job: &quiet, more: "a value changed in the changelog", want: []Kind{WrongTrait}},
		"with another label logged":    {job: &quiet, more: "a label changed in the changelog", want: []Kind{WrongChange}},
		"with the same sent as a live": {job: &quiet, more: "a change that was sent twice", want: []Kind{WrongChain}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", 3)
			w.fill()
			at := w.silently()
			if c.job != nil {
				j := *c.job
				if c.from > 0 {
					j.Ranges = []schemas.JobRange{{Topic: at.Topic, Partition: at.Partition, From: at.Offset + c.from, To: at.Offset + 100}}
				}
				w.order(j)
			}
			if c.more != "" {
				wrong[c.more].do(w)
			}
			r, found := w.verifyWith()
			var kinds []Kind
			for _, d := range found {
				kinds = append(kinds, d.Kind)
			}
			if sent := len(c.want) > 0; !slices.Equal(kinds, c.want) || (r.NotSent["j1"] == 1) == sent || len(r.NotSent) > 1 {
				t.Errorf("found %+v with %v not sent, want %v", found, r.NotSent, c.want)
			}
		})
	}
}

// Of what retention has removed, a job that has read of it and sent nothing explains
// what was not sent.
func TestNotSentOfWhatIsGone(t *testing.T) {
	w := newWorld(t, "", 3)
	w.fill()
	at := w.silently()
	w.order(schemas.Job{State: schemas.JobDone, Emit: schemas.EmitNone})
	w.put(w.webhook("u3", "h", "on", 0)) // what is left
	w.cutLogs(at.Topic, at.Offset+1)
	r, found := w.verifyWith()
	if len(found) > 0 || r.NotSent["j1"] != 1 {
		t.Errorf("found %+v, and %+v", found, r)
	}
}

// replayed returns a change as a job sends it again.
func replayed(r *kgo.Record) *kgo.Record {
	r = again(r)
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: schemas.HeaderReplay, Value: []byte("j1")})
	return r
}

// What is sent again is what was sent last, and counts for nothing.
func TestSentAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(w *world, all []*kgo.Record)
		want []Kind
	}{
		"the last change": {func(w *world, all []*kgo.Record) { w.put(replayed(all[1])) }, nil},
		"and once more":   {func(w *world, all []*kgo.Record) { w.put(replayed(all[1]), replayed(all[1])) }, nil},
		"the one before":  {func(w *world, all []*kgo.Record) { w.put(replayed(all[0])) }, []Kind{WrongReplay}},
		"another value": {func(w *world, all []*kgo.Record) {
			r := replayed(all[1])
			r.Value = []byte("{}")
			w.put(r)
		}, []Kind{WrongReplay}},
		"a removal": {func(w *world, all []*kgo.Record) {
			r := replayed(all[1])
			r.Value = nil
			w.put(r)
		}, []Kind{WrongReplay}},
		"another id": {func(w *world, all []*kgo.Record) {
			r := replayed(all[1])
			r.Headers[0] = all[0].Headers[0]
			w.put(r)
		}, []Kind{WrongReplay}},
		"one header less": {func(w *world, all []*kgo.Record) {
			r := replayed(all[1])
			r.Headers = r.Headers[1:]
			w.put(r)
		}, []Kind{WrongReplay}},
		"one header more": {func(w *world, all []*kgo.Record) { w.put(replayed(replayed(all[1]))) }, []Kind{WrongReplay}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", 3)
			w.fill()
			c.do(w, w.sent())
			r, found := w.verify()
			var kinds []Kind
			for _, d := range found {
				kinds = append(kinds, d.Kind)
			}
			if !slices.Equal(kinds, c.want) || r.Traits != 16 {
				t.Errorf("found %+v, want %v", found, c.want)
			}
		})
	}
}

// Where compaction has taken the change itself, what was sent again stands for it.
func TestSentAgainAlone(t *testing.T) {
	w := newWorld(t, "", 1)
	w.put(w.webhook("u3", "f", "off", 0), w.webhook("u3", "f", "on", 1000))
	w.run()
	all := w.sent()
	w.put(replayed(all[1]))
	w.cutLogs(w.topics.Traits.Name, all[1].Offset+1)
	if r := w.clean(); r.Changes != 1 {
		t.Errorf("%+v, want one change", r)
	}
	w.put(replayed(all[0]))
	if _, found := w.verify(); len(found) != 1 || found[0].Kind != WrongReplay {
		t.Errorf("found %+v", found)
	}
	w.cutLogs(w.topics.Traits.Name, 1_000_000)
	if _, found := w.verify(); len(found) != 1 || found[0].Kind != WrongTopic {
		t.Errorf("found %+v", found)
	}
}

// What the program's own jobs do is right: what was never read is merged by them,
// for some and for all, sent or not, and sent again.
func TestReplayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sources: [{topic: impressions, from: latest}]", 3)
	for user := range 8 {
		r := w.webhook(fmt.Sprintf("u%d", user), "f", "early", -2000)
		if user%2 == 0 {
			r = w.elsewhere(r)
		}
		w.put(r, w.webhook(fmt.Sprintf("u%d", user), "h", "ahead", 90_000))
	}
	w.run()
	w.put(w.webhook("u3", "f", "on", 0), w.webhook("u3", "h", "on", 0))
	w.run()
	if r := w.clean(); r.Traits != 2 {
		t.Errorf("%+v, want the two live traits", r)
	}
	w.replay(processor.ReplayRequest{Emit: schemas.EmitChanges, Users: []string{"u3", "u4"}})
	if r := w.clean(); r.Traits != 4 || len(r.Unverifiable) > 0 {
		t.Errorf("%+v, want two traits of each user", r)
	}
	job := w.replay(processor.ReplayRequest{Emit: schemas.EmitNone})
	if r := w.clean(); r.Traits != 16 || r.NotSent[job.ID] != 12 || len(r.Unverifiable) > 0 {
		t.Errorf("%+v, want twelve of sixteen not sent", r)
	}
	w.replay(processor.ReplayRequest{Emit: schemas.EmitAll})
	w.put(w.webhook("u5", "f", "on", 0), w.webhook("u5", "h", "on", 0))
	w.run()
	if r := w.clean(); r.Traits != 16 || r.NotSent[job.ID] != 11 || r.InFlux > 0 {
		t.Errorf("%+v, want eleven of sixteen not sent: what was ahead still is", r)
	}
}

// A definition that comes with a restart gets what was there before by a replay;
// its order is not that of the source then.
func TestReplayedForADefinition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", 3)
	w.fill()
	w.configure("traits: [{name: \"{split}\"}, {name: \"new {split}\"}]")
	w.put(w.webhook("u3", "f", "off", 4000), w.webhook("u4", "f", "on", -1000))
	w.run()
	if _, found := w.verify(); len(found) != 16 {
		t.Errorf("%d differences before the replay, want each new trait", len(found))
	}
	w.replay(processor.ReplayRequest{Emit: schemas.EmitChanges})
	if r := w.clean(); r.Traits != 32 {
		t.Errorf("%+v", r)
	}
	wrong["a wrong value in the traits topic"].do(w)
	if _, found := w.verify(); len(found) != 1 || found[0].Trait != "f" {
		t.Errorf("found %+v", found)
	}
}
