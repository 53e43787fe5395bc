package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/processor"
	"traitstream/schemas"
)

// newReplayed returns a world whose impressions of three users are merged, and a
// run that goes on.
func newReplayed(t *testing.T) (world, *running) {
	t.Helper()
	w := newWorld(t, fmt.Sprintf("output: {partitions: 2}\nhttp: {listen: %q}\nstate: {dir: data}\n", freeAddress(t)))
	w.create("impressions", 2)
	succeed(t, "import", "-c", w.config, write(t, w.dir, "in.jsonl",
		segmentEvent("u1", "f", "on", 1)+segmentEvent("u1", "g", "on", 2)+segmentEvent("u2", "f", "off", 3)+segmentEvent("u3", "f", "on", 4)))
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	return w, start(t, "run", "-c", w.config)
}

// jobIDs finds them in what is printed.
var idPattern = regexp.MustCompile(`\d{8}-\d{6}-[0-9a-f]{4}`)

// begun begins a replay, and returns its id.
func (w world) begun(args ...string) string {
	w.Helper()
	out := succeed(w.T, append([]string{"replay", "start", "-c", w.config}, args...)...)
	id := idPattern.FindString(out)
	if id == "" {
		w.Fatalf("no id in %s", out)
	}
	return id
}

// done waits for a job that a run carries out, and returns what that says.
func (w world) done(id string, r *running) string {
	w.Helper()
	status, out, stderr := program(w.T, "", "replay", "wait", "-c", w.config, id, "--timeout", "40s")
	if status != exitDone {
		w.Fatalf("status %d, %q, %s\nthe run says %s", status, out, stderr, r.stderr)
	}
	return out
}

// listed returns the jobs that are listed.
func (w world) listed(args ...string) (jobs []jobReport) {
	w.Helper()
	for line := range strings.Lines(succeed(w.T, append([]string{"replay", "list", "-c", w.config, "--format", "json"}, args...)...)) {
		var r jobReport
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			w.Fatalf("%s: %v", line, err)
		}
		jobs = append(jobs, r)
	}
	return jobs
}

// A replay is planned, begun, waited for, listed and shown.
func TestReplay(t *testing.T) {
	w, r := newReplayed(t)
	plan := succeed(t, "replay", "start", "-c", w.config, "--dry-run", "--user", "u1", "--user", "u2", "--split", "f", "--rate", "500/s", "--reason", "it was lost")
	for _, want := range []string{"impressions", "4 offsets, the first of 20", "users u1, u2, flag f\n", "what differs", "500 records/s at most", "it was lost"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan lacks %q:\n%s", want, plan)
		}
	}
	if jobs := w.listed(); len(jobs) != 0 {
		t.Errorf("a dry run has begun %+v", jobs)
	}
	reason := "to be sure" + strings.Repeat(", and surer", 6) // longer than a cell of a list
	id := w.begun("--reason", reason)
	out := w.done(id, r)
	if want := ": 4 offsets read, 4 merged, "; !strings.Contains(out, want) || !strings.Contains(out, "0 changes sent\n") || !strings.Contains(out, "job "+id+" is done after ") {
		t.Errorf("the replay says %s, want %q", out, want)
	}
	succeed(t, "verify", "-c", w.config)
	all := w.begun("--emit", "all", "--user", "u1", "--identity", "user", "--reason", "tool\x1b lost it")
	done := w.done(all[len(all)-4:], r)
	if !strings.Contains(done, ": 2 traits looked at, 2 sent again\n") {
		t.Errorf("waiting says %s", done)
	}
	if list := succeed(t, "replay", "list", "-c", w.config); !strings.Contains(list, "100 %") || !strings.Contains(list, `tool\x1b lost it`) || strings.Count(list, "\n") != 3 {
		t.Errorf("the list is %s", list)
	}
	jobs := w.listed("--all")
	if len(jobs) != 2 || jobs[0].Job != id || jobs[0].Percent != 100 || jobs[0].Merged != 4 || jobs[0].TasksDone != 2 || jobs[1].Sent != 2 ||
		!strings.Contains(jobs[0].By, "@") || jobs[1].Identity == nil || jobs[1].State != schemas.JobDone {
		t.Errorf("listed are %+v", jobs)
	}
	show := succeed(t, "replay", "show", "-c", w.config, id)
	for _, want := range []string{"done, 100 %", "4 offsets of ", reason + "\n", "as fast as live", "TASK", "all users, all flags", "4 merged"} {
		if !strings.Contains(show, want) {
			t.Errorf("show lacks %q:\n%s", want, show)
		}
	}
	again := 0
	for line := range strings.Lines(succeed(t, "tap", "-c", w.config, "--until-end", "--format", "json")) {
		if strings.Contains(line, `{"key":"traitstream.replay","value":"`+all+`"}`) {
			again++
		}
	}
	if again != 2 {
		t.Errorf("%d traits were sent again", again)
	}
	if status := r.stop(); status != exitDone {
		t.Errorf("status %d: %s", status, r.stderr)
	}
}

// What the commands print as JSON stays as it is: scripts read it.
func TestReplayJSON(t *testing.T) {
	w, _ := newReplayed(t)
	id := idPattern.FindString(succeed(t, "replay", "start", "-c", w.config, "--format", "json", "--from", "2026-01-01", "--wait"))
	var text strings.Builder
	for _, args := range [][]string{
		{"start", "--dry-run", "--from", "2026-01-01", "--user", "u1", "--rate", "500"}, {"start", "--dry-run", "--emit", "all", "--to", "2026-01-01"},
		{"list"}, {"show", id}, {"wait", id}, {"cancel", w.paused()},
	} {
		fmt.Fprintf(&text, "$ %s\n%s", args[0], succeed(t, append([]string{"replay", "-c", w.config, "--format", "json"}, args...)...))
	}
	got := idPattern.ReplaceAllString(text.String(), "ID")
	got = regexp.MustCompile(`"20(2[5-9]|[3-9]\d)-[^"]*Z"`).ReplaceAllStringFunc(got, func(at string) string {
		if strings.HasPrefix(at, `"2026-01-01`) {
			return at
		}
		return `"TIME"`
	})
	got = regexp.MustCompile(`"by":"[^"]*"`).ReplaceAllString(got, `"by":"WHO"`)
	golden(t, "replay.json", got)
}

// paused returns a job that does nothing.
func (w world) paused() string {
	w.Helper()
	j := &schemas.Job{ID: "20260302-101530-abcd", State: schemas.JobPaused, Emit: schemas.EmitAll, Created: time.Now().UnixMilli(), Changed: time.Now().UnixMilli(), By: "somebody@here"}
	w.put(j)
	return j.ID
}

// put writes a job down.
func (w world) put(j *schemas.Job) {
	w.Helper()
	w.produce(w.client, &kgo.Record{Topic: "traitstream-control", Key: j.Key(), Value: j.Value()})
}

// A job that nobody carries out stands still; it is paused, resumed and cancelled
// from anywhere, as often as one likes, until it is over.
func TestReplayWithoutARun(t *testing.T) {
	w, r := newReplayed(t)
	r.stop()
	// The seats are kept for the session's time, but nobody answers for them.
	w.leave()
	status, out, stderr := program(t, "", "replay", "start", "-c", w.config)
	id := idPattern.FindString(out)
	if status != exitDone || id == "" || !strings.Contains(stderr, "nobody is in group traitstream") {
		t.Fatalf("status %d, %q, %q", status, out, stderr)
	}
	status, out, stderr = program(t, "", "replay", "wait", "-c", w.config, id, "--timeout", "1s")
	if status != exitFailed || out != "" || !strings.Contains(stderr, "nobody is in group") || !strings.Contains(stderr, "is not over after 1s: running, 0 %") {
		t.Errorf("waiting: status %d, %q, %q", status, out, stderr)
	}
	for _, c := range []struct {
		verb, want string
		status     int
	}{
		{"resume", "is running already", exitDone},
		{"pause", "is paused\n", exitDone}, {"pause", "is paused already\n", exitDone},
		{"resume", "is running\n", exitDone},
		{"cancel", "is cancelled\n", exitDone}, {"cancel", "is cancelled already\n", exitDone},
		{"pause", "is cancelled: there is nothing to pause any more", exitFailed},
		{"resume", "is cancelled: there is nothing to resume any more", exitFailed},
		{"wait", "was cancelled; what it has done stays", exitFailed},
	} {
		status, out, stderr := program(t, "", "replay", c.verb, "-c", w.config, id)
		if status != c.status || !strings.Contains(out+stderr, c.want) {
			t.Errorf("%s: status %d, %q, %q, want %q", c.verb, status, out, stderr, c.want)
		}
	}
	if jobs := w.listed(); len(jobs) != 1 || jobs[0].State != schemas.JobCancelled || jobs[0].Percent != 0 || jobs[0].SecondsLeft != nil {
		t.Errorf("listed are %+v", jobs)
	}
}

// leave has nobody keep a seat in the group.
func (w world) leave() {
	w.Helper()
	succeed(w.T, "run", "-c", w.config, "--until-caught-up", "--leave")
}

// A wait ends with its job, or when it is interrupted.
func TestReplayWait(t *testing.T) {
	w, _ := newReplayed(t)
	id := w.begun("--rate", "1/s")
	waiting, interrupted := start(t, "replay", "wait", "-c", w.config, id), start(t, "replay", "wait", "-c", w.config, id)
	succeed(t, "replay", "pause", "-c", w.config, id)
	if status := interrupted.stop(); status != exitFailed || !strings.Contains(interrupted.stderr.String(), "stopped waiting; the job goes on") {
		t.Errorf("interrupted: status %d, %q", status, interrupted.stderr)
	}
	succeed(t, "replay", "resume", "-c", w.config, id)
	if status := waiting.wait(); status != exitDone || !strings.Contains(waiting.stdout.String(), id+" is done after ") {
		t.Errorf("status %d, %q, %q", status, waiting.stdout, waiting.stderr)
	}
}

// A job's id may be shortened, and what is none says which there are.
func TestReplayFindsJobs(t *testing.T) {
	w, r := newReplayed(t)
	r.stop()
	for status, says := range map[string]string{"show": "has none; `replay start` begins one", "wait": "has none"} {
		if status, _, stderr := program(t, "", "replay", status, "-c", w.config, "x"); status != exitFailed || !strings.Contains(stderr, says) {
			t.Errorf("without jobs: %q", stderr)
		}
	}
	old := time.Now().Add(-8 * 24 * time.Hour).UnixMilli()
	for i, id := range []string{"20260301-000000-aaaa", "20260302-000000-aaaa", "20260302-000000-bbbb", "20260303-000000-cccc"} {
		w.put(&schemas.Job{ID: id, State: schemas.JobDone, Emit: schemas.EmitAll, Created: old + int64(i), Changed: old + int64(i)})
	}
	for _, c := range []struct{ id, want string }{
		{"20260303-000000-cccc", ""}, {"cccc", ""}, {"20260303", ""}, {"bbbb", ""}, {"20260302-000000-b", ""},
		{"aaaa", `"aaaa" may be any of 20260302-000000-aaaa, 20260301-000000-aaaa`},
		{"2026", `and 1 more`},
		{"dddd", `there is no replay job "dddd" in app traitstream; there is 20260303-000000-cccc, 20260302-000000-bbbb, 20260302-000000-aaaa and 1 more`},
	} {
		status, out, stderr := program(t, "", "replay", "show", "-c", w.config, c.id)
		if (status == exitDone) != (c.want == "") || !strings.Contains(stderr, c.want) || c.want == "" && !strings.Contains(out, c.id) {
			t.Errorf("%s: status %d, %q, %q", c.id, status, out, stderr)
		}
	}
	if n := len(w.listed()); n != 0 {
		t.Errorf("%d jobs are listed that were over long ago", n)
	}
	if out := succeed(t, "replay", "list", "-c", w.config); out != "4 jobs ended earlier: --all\n" {
		t.Errorf("the list says %q", out)
	}
	if n := len(w.listed("--all")); n != 4 {
		t.Errorf("%d jobs in all", n)
	}
	got := strings.Fields(succeed(t, "__complete", "replay", "show", "-c", w.config, ""))
	if want := []string{"20260303-000000-cccc", "done", "20260302-000000-bbbb", "done"}; len(got) != 9 || !slices.Equal(got[:4], want) {
		t.Errorf("completed with %q", got)
	}
}

// What can't be meant is told before anything is asked of a broker.
func TestReplayUsage(t *testing.T) {
	file := write(t, t.TempDir(), "c.yaml", "app: x\nkafka: {brokers: [127.0.0.1:1]}\nsources: [{topic: a}, {topic: b}]\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "start, list, show, pause, resume, cancel or wait"}, {[]string{"begin"}, "begin"},
		{[]string{"start", "x"}, "x"}, {[]string{"list", "x"}, "x"}, {[]string{"show"}, "arg"}, {[]string{"pause"}, "arg"}, {[]string{"cancel", "a", "b"}, "arg"},
		{[]string{"show", ""}, "is empty"}, {[]string{"wait", "x", "--timeout", "0s"}, "--timeout"}, {[]string{"wait", "x", "--timeout", "-1s"}, "--timeout"},
		{[]string{"start", "--emit", "some"}, `changes, all or none, not "some"`}, {[]string{"start", "--emit", ""}, "changes, all or none"},
		{[]string{"start", "--emit", "all", "--from-offset", "a/0/1"}, "--from-offset does not go with it"},
		{[]string{"start", "--from", "1h", "--from-offset", "a/0/1"}, "give one of them"},
		{[]string{"start", "--from", "soon"}, "a time, or how far back"}, {[]string{"start", "--to", "-3h"}, "how far back"},
		{[]string{"start", "--from", "2026-03-02", "--to", "2026-03-02"}, "--from 2026-03-02 is not before --to 2026-03-02"},
		{[]string{"start", "--from", "1h", "--to", "2h"}, "--from 1h is not before --to 2h"},
		{[]string{"start", "--rate", "-5"}, "a number of records a second from 1"}, {[]string{"start", "--rate", "0/s"}, "from 1"},
		{[]string{"start", "--rate", "5/m"}, "from 1"}, {[]string{"start", "--rate", "1.5"}, "from 1"},
		{[]string{"start", "--user", ""}, "--user: a user is not empty"}, {[]string{"start", "--user", "\xff"}, "is no user"},
		{[]string{"start", "--split", ""}, "--split: a flag is not empty"}, {[]string{"start", "--identity", "both"}, `user or anonymous, not "both"`},
		{[]string{"start", "--from-offset", "a/0"}, "TOPIC/PARTITION/OFFSET"}, {[]string{"start", "--from-offset", "a/0/x"}, "two numbers"},
		{[]string{"start", "--from-offset", "a/-1/0"}, "two numbers"}, {[]string{"start", "--from-offset", "c/0/0"}, "c is no source; these are: a, b"},
		{[]string{"start", "--from-offset", "a/0/1", "--from-offset", "a/0/2"}, "a, partition 0, twice"},
		{[]string{"start", "--dry-run", "--wait"}, "--dry-run"},
	} {
		status, stdout, stderr := program(t, "", append(append([]string{"replay"}, c.args...), "-c", file)...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %q, %q", c.args, status, stdout, stderr)
		}
	}
}

// What can't be done says why, and what is left.
func TestReplayRefuses(t *testing.T) {
	w := newWorld(t, "output: {partitions: 2}\nstate: {dir: data}\n")
	w.create("impressions", 2)
	if status, _, stderr := program(t, "", "replay", "start", "-c", w.config); status != exitFailed || !strings.Contains(stderr, "topic traitstream-traits does not exist; run creates it") {
		t.Errorf("before a run: status %d, %q", status, stderr)
	}
	if out := succeed(t, "replay", "list", "-c", w.config); out != "no replay jobs\n" {
		t.Errorf("before a run the list says %q", out)
	}
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "the sources are empty"},
		{[]string{"--from-offset", "impressions/1/5"}, "nothing lies between offset 5 of impressions, partition 1,"},
		{[]string{"--from-offset", "impressions/7/5"}, "impressions has no partition 7"},
	} {
		status, out, stderr := program(t, "", append([]string{"replay", "start", "-c", w.config}, c.args...)...)
		if status != exitFailed || out != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %q, %q", c.args, status, out, stderr)
		}
	}
	succeed(t, "import", "-c", w.config, write(t, w.dir, "in.jsonl", segmentEvent("u1", "f", "on", 1)))
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	if status, _, stderr := program(t, "", "replay", "start", "-c", w.config, "--to", "2026-01-01"); status != exitFailed || !strings.Contains(stderr, "what is left of the sources begins at 20") {
		t.Errorf("before all: status %d, %q", status, stderr)
	}
	gone := kadm.Offsets{}
	for number, end := range w.ends("impressions") {
		gone.AddOffset("impressions", number, end, -1)
	}
	file := write(t, w.dir, "more.jsonl", segmentEvent("u1", "f", "on", 1)+segmentEvent("u2", "f", "on", 1)+segmentEvent("u3", "f", "on", 1))
	succeed(t, "import", "-c", w.config, file)
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	deleted, err := kadm.NewClient(w.client).DeleteRecords(w.limit(), gone)
	if err := errors.Join(err, deleted.Error()); err != nil {
		t.Fatal(err)
	}
	if out := succeed(t, "replay", "start", "-c", w.config, "--dry-run"); strings.Count(out, "its log begins here: what came before is gone\n") != 1 {
		t.Errorf("of what is cut the plan says %s", out)
	}
	w.deleteTopics("traitstream-control")
	if status, _, stderr := program(t, "", "replay", "start", "-c", w.config); status != exitFailed || !strings.Contains(stderr, "topic traitstream-control does not exist; run creates it") {
		t.Errorf("without the control topic: status %d, %q", status, stderr)
	}
}

// ends returns the ends of a topic's partitions.
func (w world) ends(topic string) map[int32]int64 {
	w.Helper()
	listed, err := kadm.NewClient(w.client).ListEndOffsets(w.limit(), topic)
	if err != nil {
		w.Fatal(err)
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends
}

// How long a job takes is told by the rate since it began, or since it was waited
// for, and not where it has rested.
func TestReplayTimeLeft(t *testing.T) {
	now := time.UnixMilli(1_772_446_530_000)
	s := processor.JobStatus{Tasks: 1, Job: schemas.Job{
		State: schemas.JobRunning, Emit: schemas.EmitChanges, Created: now.UnixMilli(), Changed: now.UnixMilli(),
		Ranges: []schemas.JobRange{{Topic: "a", From: 100, To: 1100}},
	}}
	if r := newJobReport(&s); r.SecondsLeft != nil || r.progress() != "0 %" {
		t.Errorf("at its beginning: %+v", r)
	}
	s.Reports = []schemas.JobReport{{At: now.Add(10 * time.Second).UnixMilli(), JobCounts: schemas.JobCounts{Read: 250}}}
	if r := newJobReport(&s); r.SecondsLeft == nil || *r.SecondsLeft != 30 || r.progress() != "25 %, about 30 s left" {
		t.Errorf("after 10 s: %+v", r)
	}
	w := &jobWait{}
	w.take(newJobReport(&s), now)
	s.Job.Changed++
	s.Reports[0].Read = 500
	if r := newJobReport(&s); r.SecondsLeft != nil {
		t.Errorf("after a rest: %+v", r)
	}
	w.take(newJobReport(&s), now.Add(5*time.Second))
	if read, _ := w.reading(); !strings.HasSuffix(read.words, "  10 s left") || read.done != 500 || read.total != 1000 {
		t.Errorf("waiting: %+v", read)
	}
	s.Job.State = schemas.JobPaused
	w.take(newJobReport(&s), now.Add(6*time.Second))
	if read, _ := w.reading(); read.doing != "paused " || strings.Contains(read.words, "left") {
		t.Errorf("paused: %+v", read)
	}
}

// A job that waits for live impressions says since when, wherever it is told of.
func TestReplayTellsThatItWaits(t *testing.T) {
	const since = "waiting for live impressions since 2026-03-02 10:15:30 UTC"
	at := time.Date(2026, 3, 2, 10, 15, 30, 0, time.UTC).UnixMilli()
	s := processor.JobStatus{
		Tasks: 2, Job: schemas.Job{State: schemas.JobRunning, Emit: schemas.EmitDefine, Generation: 3},
		Reports: []schemas.JobReport{{Task: 0, Total: 10, Waits: at + 5000}, {Task: 1, Total: 10, Waits: at}},
	}
	report := newJobReport(&s)
	w := &jobWait{}
	w.take(report, time.UnixMilli(at))
	waiting, _ := w.reading()
	applying := progressOf(&s)
	var out strings.Builder
	m := &Main{Stdout: &out}
	if err := m.printJob(&s); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"show": out.String(), "wait": waiting.words, "apply": applying.words} {
		if !strings.Contains(text, since) {
			t.Errorf("%s says %q", what, text)
		}
	}
	s.Job.State = schemas.JobPaused
	if newJobReport(&s).WaitsSince != nil {
		t.Error("a job that is paused waits for nobody")
	}
}

// Without the right to write the control topic nothing begins, and the error says
// which right that is.
func TestReplayWithoutRights(t *testing.T) {
	w := newStatusWorld(t)
	w.create("impressions", 2)
	succeed(t, "import", "-c", w.config, write(t, w.dir, "in.jsonl", segmentEvent("u1", "f", "on", 1)))
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	w.cluster.ControlKey(kmsg.Produce.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, of := range req.(*kmsg.ProduceRequest).Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic, topic.TopicID = of.Topic, of.TopicID
			for _, p := range of.Partitions {
				refused := kmsg.NewProduceResponseTopicPartition()
				refused.Partition, refused.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
				topic.Partitions = append(topic.Partitions, refused)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	status, _, stderr := program(t, "", "replay", "start", "-c", w.config)
	if status != exitFailed || !strings.Contains(stderr, "to traitstream-control: TOPIC_AUTHORIZATION_FAILED") || !strings.Contains(stderr, "allow this user") {
		t.Errorf("status %d, %q", status, stderr)
	}
	if jobs := w.listed(); len(jobs) != 0 {
		t.Errorf("listed are %+v", jobs)
	}
}
