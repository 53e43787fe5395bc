package processor

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// replayed begins a job, and returns nil where nothing is left to read. Faults may
// meet it too: it is then tried again.
func (b *bubble) replayed(r ReplayRequest) *schemas.Job {
	b.t.Helper()
	j := NewJobs(b.client, b.cfg, b.topics)
	for range 100 {
		plan, err := j.Plan(b.t.Context(), r)
		if errors.Is(err, ErrNothingLeft) {
			return nil
		}
		if err == nil {
			err = j.Put(b.t.Context(), &plan.Job)
		}
		if err == nil {
			return &plan.Job
		}
		b.pass(time.Second)
	}
	b.t.Fatal("no replay can be begun")
	return nil
}

// job returns how a job is.
func (b *bubble) job(id string) JobStatus {
	b.t.Helper()
	all, err := NewJobs(b.client, b.cfg, b.topics).List(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range all {
		if s.Job.ID == id {
			return s
		}
	}
	b.t.Fatalf("there is no job %s", id)
	return JobStatus{}
}

// jobEnds waits until a job is over, and returns what it has come to.
func (b *bubble) jobEnds(id string) schemas.JobCounts {
	b.t.Helper()
	for range 600 {
		if s := b.job(id); s.Job.State.Over() {
			var sum schemas.JobCounts
			for _, r := range s.Reports {
				sum.Read += r.Read
				sum.Gone += r.Gone
				sum.Forwarded += r.Forwarded
				sum.Merged += r.Merged
				sum.Sent += r.Sent
			}
			return sum
		}
		b.pass(time.Second)
	}
	b.t.Fatalf("job %s does not end: %+v", id, b.job(id))
	return schemas.JobCounts{}
}

// sentSoFar counts the records of the traits topic.
func (b *bubble) sentSoFar() (n int) {
	b.t.Helper()
	for _, part := range b.read(b.topics.Traits) {
		n += len(part)
	}
	return n
}

// What was merged is merged again without a trace, what was sent is sent again as it
// was.
func TestReplay(t *testing.T) {
	for _, emit := range []schemas.JobEmit{schemas.EmitChanges, schemas.EmitAll, schemas.EmitNone} {
		t.Run(string(emit), func(t *testing.T) {
			inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
				in := newInput(b, 1)
				b.start(t.TempDir(), nil)
				in.put(500)
				b.caughtUp(b.t.Context())
				before := b.sentSoFar()
				job := b.replayed(ReplayRequest{Emit: emit})
				in.put(100)
				sum := b.jobEnds(job.ID)
				b.caughtUp(b.t.Context())
				switch {
				case emit != schemas.EmitAll && (sum.Read < 500 || sum.Forwarded == 0 || sum.Sent != 0):
					t.Errorf("the job has done %+v", sum)
				case emit == schemas.EmitAll && (sum.Sent == 0 || b.sentSoFar() < before+int(sum.Sent)):
					t.Errorf("the job has done %+v, there were %d changes and are %d", sum, before, b.sentSoFar())
				}
				b.settle()
				b.check(b.dirs...)
				if n := b.jobRecords(); n != 0 {
					t.Errorf("%d records of the job are left in the changelog", n)
				}
			})
		})
	}
}

// jobRecords counts what the changelog has of jobs.
func (b *bubble) jobRecords() int {
	b.t.Helper()
	left := map[string]bool{}
	for _, part := range b.read(b.topics.Changelog) {
		for _, r := range part {
			if _, ok := schemas.ParseJobKey(r.Key); ok {
				left[fmt.Sprint(r.Partition, string(r.Key))] = r.Value != nil
			}
		}
	}
	n := 0
	for _, there := range left {
		if there {
			n++
		}
	}
	return n
}

// A group that has begun with what comes gets what was there before by a replay.
func TestReplayOfWhatWasNeverRead(t *testing.T) {
	for _, emit := range []schemas.JobEmit{schemas.EmitChanges, schemas.EmitNone} {
		t.Run(string(emit), func(t *testing.T) {
			yaml := strings.Replace(bubbleYAML, "{topic: a}, {topic: b}", "{topic: a, from: latest}, {topic: b, from: latest}", 1)
			inBubble(t, yaml, map[string]int32{"b": 5}, func(b *bubble) {
				in := newInput(b, 1)
				in.put(500)
				b.start(t.TempDir(), nil)
				b.pass(5 * time.Second)
				if n := b.sentSoFar(); n > 0 {
					t.Fatalf("%d changes of what was there before", n)
				}
				job := b.replayed(ReplayRequest{Emit: emit})
				sum := b.jobEnds(job.ID)
				want := b.truth()
				if emit == schemas.EmitNone {
					if n := b.sentSoFar(); n > 0 || sum.Sent > 0 || sum.Merged == 0 {
						t.Errorf("%d changes, and the job has done %+v", n, sum)
					}
					return
				}
				if n := b.sentSoFar(); n != int(sum.Sent) || n < len(want.Traits) {
					t.Errorf("%d changes for %d traits, and the job has done %+v", n, len(want.Traits), sum)
				}
				values := map[string]string{}
				for _, part := range b.read(b.topics.Traits) {
					for _, r := range part {
						values[string(r.Key)] = b.link(r, values[string(r.Key)])
					}
				}
				b.checkValues(&want, values)
			})
		})
	}
}

// A job that is interrupted goes on where it was, wherever its tasks go.
func TestReplaySurvivesAKill(t *testing.T) {
	inBubble(t, bubbleYAML, map[string]int32{"b": 5}, func(b *bubble) {
		in := newInput(b, 1)
		p := b.start(t.TempDir(), nil)
		in.put(2000)
		b.caughtUp(b.t.Context())
		job := b.replayed(ReplayRequest{Emit: schemas.EmitAll, Rate: 30})
		history := b.replayed(ReplayRequest{Emit: schemas.EmitChanges, Rate: 100})
		b.pass(7 * time.Second)
		b.kill(p)
		q := b.start(t.TempDir(), nil)
		b.pass(10 * time.Second)
		if err := b.end(q); err != nil {
			t.Fatal(err)
		}
		b.start(q.dir, nil)
		all, read := b.jobEnds(job.ID), b.jobEnds(history.ID)
		if total := (&Plan{Job: *history}).Total(); read.Read != total || read.Sent != 0 {
			t.Errorf("the job has done %+v, want %d read", read, total)
		}
		again := map[string]int{}
		for _, part := range b.read(b.topics.Traits) {
			for _, r := range part {
				if header(r, schemas.HeaderReplay) != nil {
					again[string(r.Key)]++
				}
			}
		}
		for key, n := range again {
			if n != 1 {
				t.Errorf("%s was sent again %d times", key, n)
			}
		}
		if int(all.Sent) != len(again) || len(again) == 0 {
			t.Errorf("%d traits were sent again, and the job has done %+v", len(again), all)
		}
		b.settle()
		b.check(b.dirs...)
	})
}

// A job rests while it is paused, and what is cancelled leaves nothing behind.
func TestReplayIsPausedAndCancelled(t *testing.T) {
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		in := newInput(b, 1)
		b.start(t.TempDir(), nil)
		in.put(1000)
		b.caughtUp(b.t.Context())
		job := b.replayed(ReplayRequest{Emit: schemas.EmitChanges, Rate: 50})
		b.pass(10 * time.Second)
		b.putJob(job, schemas.JobPaused)
		b.pass(10 * time.Second)
		paused := b.job(job.ID).Reports
		b.pass(time.Minute)
		if now := b.job(job.ID).Reports; !slices.Equal(now, paused) || !slices.ContainsFunc(now, func(r schemas.JobReport) bool { return r.Read > 0 && !r.Done }) {
			t.Errorf("paused at %+v, now at %+v", paused, now)
		}
		b.putJob(job, schemas.JobRunning)
		b.pass(5 * time.Second)
		b.putJob(job, schemas.JobCancelled)
		b.pass(10 * time.Second)
		if n := b.jobRecords(); n != 0 {
			t.Errorf("%d records of the job are left in the changelog", n)
		}
		b.settle()
		b.check(b.dirs...)
	})
}

func (b *bubble) putJob(job *schemas.Job, state schemas.JobState) {
	b.t.Helper()
	job.State = state
	if err := NewJobs(b.client, b.cfg, b.topics).Put(b.t.Context(), job); err != nil {
		b.t.Fatal(err)
	}
}

// Whom and which flags a job is about, none else is.
func TestReplaySelects(t *testing.T) {
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		in := newInput(b, 1)
		b.start(t.TempDir(), nil)
		in.put(500)
		b.caughtUp(b.t.Context())
		later := time.UnixMilli(noon).Add(time.Hour)
		for _, r := range []ReplayRequest{
			{Emit: schemas.EmitAll, Users: []string{"k1", "s2", "nobody"}, Splits: []string{"f1"}},
			{Emit: schemas.EmitAll, Splits: []string{"f1"}, To: later},
			{Emit: schemas.EmitAll, Identity: "anonymous"},
			{Emit: schemas.EmitAll, From: later},
		} {
			job := b.replayed(r)
			b.jobEnds(job.ID)
			n := 0
			for _, part := range b.read(b.topics.Traits) {
				for _, rec := range part {
					if string(header(rec, schemas.HeaderReplay)) != job.ID {
						continue
					}
					n++
					key, err := schemas.DecodeKey(rec.Key)
					wanted := r.From.IsZero() && r.Identity == "" && (len(r.Users) == 0 || strings.Contains("k1 s2", string(key.User)))
					if err != nil || !wanted || string(key.Trait) != "f1" {
						t.Errorf("%+v has sent %s", r, line(rec))
					}
				}
			}
			if (n == 0) != (r.Identity != "" || !r.From.IsZero()) {
				t.Errorf("%+v has sent %d traits", r, n)
			}
		}
		b.settle()
		b.check(b.dirs...)
	})
}

// What is gone is told before a job begins, and counted where it goes later.
func TestReplayOfWhatIsGone(t *testing.T) {
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		j := NewJobs(b.client, b.cfg, b.topics)
		if _, err := j.Plan(b.t.Context(), ReplayRequest{Emit: schemas.EmitChanges}); !errors.Is(err, ErrNothingLeft) {
			t.Errorf("without records: %v", err)
		}
		b.start(t.TempDir(), nil)
		newInput(b, 1).put(900)
		b.caughtUp(b.t.Context())
		job := b.replayed(ReplayRequest{Emit: schemas.EmitChanges, Rate: 30})
		b.deleteRecords("a", 0, 50)
		b.deleteRecords("a", 1, 80)
		if sum := b.jobEnds(job.ID); sum.Gone == 0 || sum.Read != (&Plan{Job: *job}).Total() {
			t.Errorf("the job has done %+v", sum)
		}
		plan, err := j.Plan(b.t.Context(), ReplayRequest{Emit: schemas.EmitChanges})
		if err != nil || len(plan.Cut) != 2 || plan.Since.IsZero() {
			t.Errorf("%+v, %v", plan, err)
		}
		for _, test := range []struct {
			request ReplayRequest
			want    string
		}{
			{ReplayRequest{Emit: schemas.EmitChanges, To: time.UnixMilli(noon - 1000)}, "begins at"},
			{ReplayRequest{Emit: schemas.EmitChanges, Offsets: []PartitionOffset{{"a", 0, 49}}}, "its log begins at 50"},
			{ReplayRequest{Emit: schemas.EmitChanges, Offsets: []PartitionOffset{{"a", 9, 49}}}, "a has no partition 9"},
			{ReplayRequest{Emit: schemas.EmitChanges, Offsets: []PartitionOffset{{"a", 0, 1 << 40}}}, "where the group is"},
		} {
			if _, err := j.Plan(b.t.Context(), test.request); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v: %v, want %q", test.request, err, test.want)
			}
		}
	})
}

func (b *bubble) deleteRecords(topic string, number int32, before int64) {
	b.t.Helper()
	gone := kadm.Offsets{}
	gone.AddOffset(topic, number, before, -1)
	if _, err := kadm.NewClient(b.client).DeleteRecords(b.t.Context(), gone); err != nil {
		b.t.Fatal(err)
	}
}

// When a job is over, what is told of it is all that it has done, whoever did it.
func TestReplayTellsAllThatItHasDone(t *testing.T) {
	yaml := strings.Replace(bubbleYAML, "{topic: a}, {topic: b}", "{topic: a, from: latest}, {topic: b, from: latest}", 1)
	inBubble(t, yaml, map[string]int32{"b": 5}, func(b *bubble) {
		newInput(b, 1).put(3000)
		for range 3 {
			b.start(t.TempDir(), nil)
		}
		b.pass(30 * time.Second)
		job := b.replayed(ReplayRequest{Emit: schemas.EmitChanges})
		sum := b.jobEnds(job.ID)
		if n := b.sentSoFar(); n != int(sum.Sent) || sum.Forwarded == 0 {
			t.Errorf("%d changes, and the job has done %+v", n, sum)
		}
	})
}

// A task that has nothing to read for a job is done with it, though nothing else
// comes.
func TestReplayOfOneUser(t *testing.T) {
	for _, emit := range []schemas.JobEmit{schemas.EmitChanges, schemas.EmitAll} {
		inBubble(t, bubbleYAML, nil, func(b *bubble) {
			b.start(t.TempDir(), nil)
			newInput(b, 1).put(1)
			b.caughtUp(b.t.Context())
			b.pass(time.Minute)
			b.jobEnds(b.replayed(ReplayRequest{Emit: emit}).ID)
		})
	}
}

// A job that waits for a process is done by it, though its tasks go from one worker
// to another before they are reported, and nothing else comes.
func TestReplayWaitsForAProcess(t *testing.T) {
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		p := b.start(t.TempDir(), nil)
		newInput(b, 1).put(1)
		b.caughtUp(b.t.Context())
		if err := b.end(p); err != nil {
			t.Fatal(err)
		}
		job := b.replayed(ReplayRequest{Emit: schemas.EmitChanges})
		b.start(p.dir, nil)
		b.jobEnds(job.ID)
	})
}

// Who names offsets wants these partitions and no other.
func TestReplayFromOffsets(t *testing.T) {
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		b.start(t.TempDir(), nil)
		newInput(b, 1).put(300)
		b.caughtUp(b.t.Context())
		job := b.replayed(ReplayRequest{Emit: schemas.EmitChanges, Offsets: []PartitionOffset{{"a", 1, 7}}})
		if of := job.Ranges; len(of) != 1 || of[0].Topic != "a" || of[0].Partition != 1 || of[0].From != 7 {
			t.Errorf("the job reads %+v", of)
		}
		b.jobEnds(job.ID)
	})
}

// A job that was over long ago goes from the control topic, with all that was
// reported of it.
func TestReplayIsForgotten(t *testing.T) {
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		b.start(t.TempDir(), nil)
		newInput(b, 1).put(100)
		b.caughtUp(b.t.Context())
		old := b.replayed(ReplayRequest{Emit: schemas.EmitChanges})
		b.jobEnds(old.ID)
		old.Changed = time.Now().Add(-keepJobs + 20*time.Second).UnixMilli()
		b.putJob(old, schemas.JobDone)
		recent := b.replayed(ReplayRequest{Emit: schemas.EmitAll})
		b.jobEnds(recent.ID)
		b.job(old.ID)
		b.pass(time.Minute)
		left := map[string]bool{}
		for _, part := range b.read(b.topics.Control) {
			for _, r := range part {
				if left[string(r.Key)] = true; r.Value == nil {
					delete(left, string(r.Key))
				}
			}
		}
		for key := range left {
			if strings.Contains(key, old.ID) {
				t.Errorf("%s is left", key)
			}
		}
		if all, err := NewJobs(b.client, b.cfg, b.topics).List(b.t.Context()); err != nil || len(all) != 1 || all[0].Job.ID != recent.ID || len(all[0].Reports) == 0 {
			t.Errorf("listed are %+v, %v", all, err)
		}
	})
}

// A job ends though some tasks have nothing to read for it and nothing live comes.
func TestReplayOfOneTaskEnds(t *testing.T) {
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		b.start(t.TempDir(), nil)
		b.put(&kgo.Record{Topic: "a", Key: []byte("k1"), Value: []byte(newInput(b, 1).impression("k1")), Timestamp: time.UnixMilli(noon)})
		b.caughtUp(b.t.Context())
		if sum := b.jobEnds(b.replayed(ReplayRequest{Emit: schemas.EmitChanges}).ID); sum.Read != 1 {
			t.Errorf("the job has done %+v", sum)
		}
		b.settle()
		b.check(b.dirs...)
	})
}

// What stands in the inbox of another task than its user's goes on to that one, also
// if it says that a job has read it which nobody knows.
func TestReplayedElsewhereInTheInbox(t *testing.T) {
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		b.start(t.TempDir(), nil)
		b.pass(5 * time.Second)
		r := &kgo.Record{
			Topic: b.topics.Inbox.Name, Partition: (kafka.Partition([]byte("k1"), b.topics.Tasks) + 1) % b.topics.Tasks,
			Value: fmt.Appendf(nil, `{"key":"k1","split":"f","treatment":"on","time":%d}`, noon),
		}
		headers := append(schemas.InboxHeaders(trait.Place{Topic: "a", Index: -1}), schemas.ReplayHeaders("unknown", false)...)
		r.Headers = fleet.RecordHeaders(headers)
		b.put(r)
		b.caughtUp(b.t.Context())
		b.pass(5 * time.Second)
		if n := b.sentSoFar(); n != 1 {
			t.Errorf("%d changes, want one", n)
		}
		b.settle()
	})
}

// A job that live impressions leave no room for says so, and since when.
func TestReplayTellsThatItWaits(t *testing.T) {
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		p := b.start(b.t.TempDir(), nil)
		in := newInput(b, 1)
		in.put(500)
		b.caughtUp(b.t.Context())
		b.overloads(p, time.Second)
		job := b.replayed(ReplayRequest{Emit: schemas.EmitChanges})
		began := time.Now()
		waits := func() bool {
			return slices.ContainsFunc(b.job(job.ID).Reports, func(r schemas.JobReport) bool { return r.Waits > 0 })
		}
		for !waits() {
			in.put(10)
			b.overloads(p, time.Second)
			if time.Since(began) > time.Minute {
				b.t.Fatalf("the job tells %+v", b.job(job.ID).Reports)
			}
		}
		if waited := testutil.ToFloat64(p.o.Metrics.waited); waited < longWait.Seconds() {
			b.t.Errorf("it has waited %v s", waited)
		}
		b.jobEnds(job.ID)
		if waits() {
			b.t.Errorf("a job that is done waits: %+v", b.job(job.ID).Reports)
		}
	})
}

// overloads has all tasks be behind for some time, whatever is measured meanwhile.
func (b *bubble) overloads(p *process, long time.Duration) {
	for began := time.Now(); time.Since(began) < long; b.pass(time.Millisecond) {
		for task := range b.topics.Tasks {
			p.behind(task, 1_000_000, began.Add(-time.Hour))
		}
	}
}

// Of two who change a job at the same time one comes first, and what is over stays over.
func TestJobIsChangedInTurn(t *testing.T) {
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		b.start(b.t.TempDir(), nil)
		newInput(b, 1).put(100)
		b.caughtUp(b.t.Context())
		job := b.replayed(ReplayRequest{Emit: schemas.EmitChanges, Rate: 1})
		b.pass(5 * time.Second)
		set := func(state schemas.JobState) schemas.JobState {
			now, err := NewJobs(b.client, b.cfg, b.topics).SetState(b.t.Context(), b.connect, job.ID, state)
			if err != nil {
				b.t.Fatal(err)
			}
			return now.State
		}
		j := NewJobs(b.client, b.cfg, b.topics)
		_, err := j.o.changeJob(b.t.Context(), b.connect, job.ID, func(job *schemas.Job) bool {
			set(schemas.JobCancelled)
			job.State = schemas.JobDone
			return true
		})
		if !errors.Is(err, ErrOvertaken) || b.job(job.ID).Job.State != schemas.JobCancelled {
			b.t.Errorf("%v, and the job is %s", err, b.job(job.ID).Job.State)
		}
		if now := set(schemas.JobPaused); now != schemas.JobCancelled {
			b.t.Errorf("a job that was cancelled is %s", now)
		}
		done := b.replayed(ReplayRequest{Emit: schemas.EmitAll})
		b.jobEnds(done.ID)
		job = done
		if now := set(schemas.JobCancelled); now != schemas.JobDone {
			b.t.Errorf("a job that was done is %s", now)
		}
	})
}

// A job whose source is deleted has failed, and does not read what is there under its
// name later.
func TestReplayOfASourceThatIsGone(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprint("created again: ", again), func(t *testing.T) {
			inBubble(t, bubbleYAML, map[string]int32{"former": 3}, func(b *bubble) {
				b.start(b.t.TempDir(), nil)
				newInput(b, 1).put(100)
				b.caughtUp(b.t.Context())
				adm := kadm.NewClient(b.client)
				topics, err := adm.ListTopics(b.t.Context(), "former")
				if err != nil {
					b.t.Fatal(err)
				}
				job := b.replayed(ReplayRequest{Emit: schemas.EmitChanges})
				b.jobEnds(job.ID)
				job.ID, job.Ranges = "former", nil
				for n := range int32(3) {
					job.Ranges = append(job.Ranges, schemas.JobRange{Topic: "former", TopicID: topics["former"].ID.String(), Partition: n, To: 10})
				}
				if _, err := adm.DeleteTopic(b.t.Context(), "former"); err != nil {
					b.t.Fatal(err)
				}
				if again {
					b.createAgain("former")
				}
				b.putJob(job, schemas.JobRunning)
				sum := b.jobEnds(job.ID)
				over := b.job(job.ID)
				if over.Job.State != schemas.JobFailed || !strings.Contains(over.Job.Error, "former, partition") || sum.Read > 0 {
					b.t.Errorf("the job is %s: %q, and has done %+v", over.Job.State, over.Job.Error, sum)
				}
				b.settle()
				b.check(b.dirs...)
			})
		})
	}
}

// createAgain creates a topic of three partitions, of which each has ten impressions.
func (b *bubble) createAgain(topic string) {
	b.t.Helper()
	if _, err := kadm.NewClient(b.client).CreateTopic(b.t.Context(), 3, 1, nil, topic); err != nil {
		b.t.Fatal(err)
	}
	for i := range 30 {
		r := b.webhook(fmt.Sprint("new", i), "f", "on", 0)
		r.Topic, r.Partition = topic, int32(i%3)
		b.put(r)
	}
}

// What definitions are computed from is what there is: of a source that is gone, nothing.
func TestHistoryIsGoneWithItsSource(t *testing.T) {
	inBubble(t, bubbleYAML, nil, func(b *bubble) {
		ready := make(chan history, 1)
		h := &historian{
			o: &Options{Fleet: *b.fleet(), Log: slog.New(slog.DiscardHandler)}, defines: true, limit: 1, to: ready, wake: func() {},
			ranges: []schemas.JobRange{{Topic: "former", To: 10}}, from: []int64{3}, ctx: b.t.Context(),
		}
		h.run()
		if got := <-ready; got.next != 10 || got.gone != 7 || got.failed != "" {
			b.t.Errorf("handed over is %+v", got)
		}
	})
}
