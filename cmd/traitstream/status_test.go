package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/kafka"
)

// statusWorld is a broker whose changelog can be kept from being read.
type statusWorld struct {
	world
	cluster *kfake.Cluster
	held    atomic.Bool
}

func newStatusWorld(t *testing.T) *statusWorld {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	w := &statusWorld{world: world{T: t, dir: t.TempDir(), brokers: cluster.ListenAddrs()}, cluster: cluster}
	w.config = w.process("a", "")
	w.client = w.newClient()
	return w
}

// process returns the configuration of a process with a folder of its own.
func (w *statusWorld) process(name, http string) string {
	return write(w.T, w.dir, name+".yaml", fmt.Sprintf(
		"kafka: {brokers: [%q]}\nhttp: {listen: %q}\nstate: {dir: %s}\noutput: {partitions: 2}\n"+
			"processor: {workers: 1, session_timeout: 6s}\n", w.brokers[0], http, name))
}

// hold refuses reads of the changelog while held is set.
func (w *statusWorld) hold() {
	topics, err := kadm.NewClient(w.client).ListTopics(w.limit(), "traitstream-last-seen-changelog")
	if err != nil {
		w.Fatal(err)
	}
	id := [16]byte(topics["traitstream-last-seen-changelog"].ID)
	w.held.Store(true)
	w.cluster.ControlKey(kmsg.Fetch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		fetch := req.(*kmsg.FetchRequest)
		if !w.held.Load() || len(fetch.Topics) != 1 || fetch.Topics[0].TopicID != id {
			return nil, nil, false
		}
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition, p.ErrorCode = fetch.Topics[0].Partitions[0].Partition, kerr.NotLeaderForPartition.Code
		topic := kmsg.NewFetchResponseTopic()
		topic.TopicID, topic.Partitions = id, []kmsg.FetchResponseTopicPartition{p}
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		resp.Topics = []kmsg.FetchResponseTopic{topic}
		return resp, nil, true
	})
}

// look returns what status says as JSON.
func (w *statusWorld) look(args ...string) (tasks []taskReport, all statusReport) {
	w.Helper()
	lines := strings.Split(strings.TrimSpace(succeed(w.T, append([]string{"status", "-c", w.config, "--format", "json"}, args...)...)), "\n")
	tasks = make([]taskReport, len(lines)-1)
	for i := range tasks {
		if err := json.Unmarshal([]byte(lines[i]), &tasks[i]); err != nil {
			w.Fatal(err)
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &all); err != nil {
		w.Fatal(err)
	}
	return tasks, all
}

// states tells the tasks' states in a word.
func states(tasks []taskReport) string {
	var text []string
	for _, t := range tasks {
		text = append(text, t.State)
	}
	return strings.Join(text, " ")
}

// Before anybody has run, with nobody in the group, while state is restored and
// with a process that has no HTTP: status says what it can and ends well.
func TestStatusThroughAGroupsLife(t *testing.T) {
	w := newStatusWorld(t)
	w.create("impressions", 3)
	if got := succeed(t, "status", "-c", w.config); !strings.Contains(got, "no process of traitstream has run yet") {
		t.Errorf("before the first run: %s", got)
	}
	seed(w.world, 40)
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	if got := succeed(t, "status", "-c", w.config); !strings.Contains(got, "nobody is in group traitstream") || strings.Count(got, "  nobody  stopped ") != 2 {
		t.Errorf("with nobody in the group: %s", got)
	}

	w.hold()
	r := start(t, "run", "-c", w.process("b", "127.0.0.1:0"))
	var tasks []taskReport
	var all statusReport
	r.until("it restores both tasks", func() bool {
		tasks, all = w.look()
		return states(tasks) == "restoring restoring" && tasks[0].Restore.Total > 0 && tasks[1].Restore.Total > 0
	})
	if all.Owned != 2 || all.Behind != 2 || len(all.Group.Unreached) != 0 {
		t.Errorf("while it restores: %+v", all)
	}
	if got := succeed(t, "status", "-c", w.config); strings.Count(got, "restoring 0 %") != 2 {
		t.Errorf("while it restores: %s", got)
	}
	address := tasks[0].Owner.HTTP
	if code, text := page(t, address, "/readyz"); code != http.StatusServiceUnavailable || !strings.HasPrefix(text, "restoring 2 of 2 tasks: 0 of ") {
		t.Errorf("/readyz: %d %q", code, text)
	}
	w.held.Store(false)
	r.until("it is restored", func() bool { tasks, _ = w.look(); return states(tasks) == "running running" })
	r.until("it is ready", func() bool { return get(address, "/readyz") == "ok\n" })
	if _, text := page(t, address, "/status"); !strings.Contains(text, `"ready":true,`) || strings.Contains(text, "user-") {
		t.Errorf("/status: %s", text)
	}

	second := start(t, "run", "-c", w.process("c", ""))
	second.until("each has a task", func() bool {
		tasks, all = w.look()
		return all.Group.Processes == 2 && len(all.Group.Unreached) == 1 &&
			(states(tasks) == "running unknown" || states(tasks) == "unknown running")
	})
	if all.Owned != 2 || len(all.Beyond) != 1 || all.Beyond[0].Owner == nil || all.Beyond[0].Partition != 2 {
		t.Errorf("with two processes: %+v", all)
	}
}

// A topic that is missing is named, and what can be told all the same is told.
func TestStatusNamesMissingTopics(t *testing.T) {
	w := processed(t)
	for _, c := range []struct {
		deleted, missing string
		looked           bool // at the group
	}{
		{"traitstream-dead-letters", "traitstream-dead-letters", true},
		{"traitstream-last-seen-changelog", "traitstream-last-seen-changelog, traitstream-dead-letters", true},
		{"traitstream-inbox", "traitstream-last-seen-changelog, traitstream-inbox, traitstream-dead-letters", false},
	} {
		w.deleteTopics(c.deleted)
		got := succeed(t, "status", "-c", w.config)
		if !strings.Contains(got, "are there: "+c.missing+"; ") || strings.Contains(got, "no process of") ||
			strings.Contains(got, "nobody is in group traitstream") != c.looked {
			t.Errorf("without %s: %s", c.deleted, got)
		}
		s := statusWorld{world: w}
		if _, all := s.look(); !all.Started || strings.Join(all.Missing, ", ") != c.missing {
			t.Errorf("without %s: %+v", c.deleted, all)
		}
	}
	w.deleteTopics("traitstream-traits")
	if got := succeed(t, "status", "-c", w.config); !strings.Contains(got, "no process of traitstream has run yet") {
		t.Errorf("with none of them: %s", got)
	}
}

// A rebalance is waited for: while it goes on, the brokers tell nothing of the
// members.
func TestStatusWaitsForARebalance(t *testing.T) {
	w := newStatusWorld(t)
	w.create("impressions", 2)
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	asked := 0
	w.cluster.ControlKey(kmsg.DescribeGroups.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		asked++
		group := kmsg.NewDescribeGroupsResponseGroup()
		group.Group, group.State = "traitstream", groupPreparing
		resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
		resp.Groups = []kmsg.DescribeGroupsResponseGroup{group}
		return resp, nil, true // this once
	})
	if got := succeed(t, "status", "-c", w.config); !strings.Contains(got, "nobody is in group traitstream") || asked != 1 {
		t.Errorf("asked %d times: %s", asked, got)
	}
}

// page returns a page with its status.
func page(t *testing.T, address, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text := &strings.Builder{}
	if err := resp.Write(text); err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(text.String(), "\r\n\r\n")
	return resp.StatusCode, body
}

// seed puts an impression of each of some users where Java would, in two
// partitions.
func seed(w world, users int) {
	w.Helper()
	for i := range users {
		user := fmt.Sprintf("user-%d", i)
		w.produce(w.client, &kgo.Record{
			Topic: "impressions", Partition: kafka.Partition([]byte(user), 2), Key: []byte(user),
			Value: []byte(segmentEvent(user, "f", "on", 1)),
		})
	}
}

// Lag is in records and in time, by committed offsets; what lies beyond the
// tasks counts too.
func TestStatusLag(t *testing.T) {
	w := newWorld(t, "output: {partitions: 2}\n")
	w.create("impressions", 3)
	seed(w, 10)
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	for i, p := range []int32{0, 0, 0, 2} {
		w.produce(w.client, &kgo.Record{Topic: "impressions", Partition: p, Value: []byte("{}"), Timestamp: at.Add(time.Duration(i) * time.Minute)})
	}
	s := statusWorld{world: w}
	tasks, all := s.look()
	if tasks[0].LagRecords != 3 || tasks[1].LagRecords != 0 || all.LagRecords != 4 || len(all.Beyond) != 1 || all.Beyond[0].LagRecords != 1 {
		t.Errorf("records: %+v, %+v", tasks, all)
	}
	hour, late := time.Hour.Seconds(), time.Since(at).Seconds()
	if s := tasks[0].LagSeconds; s < hour || s > late || s != all.LagSeconds || tasks[1].LagSeconds != 0 {
		t.Errorf("seconds: %+v, %+v", tasks, all)
	}
	if s := all.Beyond[0].LagSeconds; s < hour-181 || s > late-179 {
		t.Errorf("beyond the tasks: %f s", s)
	}
	in := tasks[0].Inputs
	if len(in) != 2 || in[0].Topic != "impressions" || in[0].Committed == nil || *in[0].Committed == 0 || in[0].End != *in[0].Committed+3 || !strings.HasPrefix(in[0].CommittedBy, "traitstream-") {
		t.Errorf("inputs: %+v", in)
	}
	if got := succeed(t, "status", "-c", w.config); !strings.Contains(got, "nobody  stopped    3  1 h") || !strings.Contains(got, "impressions, partition 2") {
		t.Errorf("as text: %s", got)
	}
}

// Dead letters are counted by reason, as far back as is asked for.
func TestStatusDeadLetters(t *testing.T) {
	w := newWorld(t, "output: {partitions: 2}\n")
	w.create("impressions", 2)
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	succeed(t, "import", "-c", w.config, "--lines", "--record-time", "2026-03-02", write(t, w.dir, "old.jsonl", "{\n{}\n"))
	succeed(t, "import", "-c", w.config, "--lines", write(t, w.dir, "new.jsonl", "{\n{\n{}\n"))
	w.produce(w.client, &kgo.Record{Topic: "traitstream-dead-letters", Value: []byte("from elsewhere")})
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, `{"malformed":2,"unknown":1,"unknown_shape":1}`},
		{[]string{"--dead-letters", "1h30m"}, `{"malformed":2,"unknown":1,"unknown_shape":1}`},
		{[]string{"--dead-letters", "36500d"}, `{"malformed":3,"unknown":1,"unknown_shape":2}`},
		{[]string{"--dead-letters", "all"}, `{"malformed":3,"unknown":1,"unknown_shape":2}`},
		{[]string{"--dead-letters", "none"}, "null"},
	} {
		s := statusWorld{world: w}
		_, all := s.look(c.args...)
		got := "null"
		if all.Letters != nil {
			text, err := json.Marshal(all.Letters.Reasons)
			if err != nil {
				t.Fatal(err)
			}
			got = string(text)
			if all.Letters.Since == nil != (len(c.args) == 2 && c.args[1] == "all") {
				t.Errorf("%v: since %v", c.args, all.Letters.Since)
			}
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.args, got, c.want)
		}
	}
	if got := succeed(t, "status", "-c", w.config, "--dead-letters", "none"); strings.Contains(strings.ToLower(got), "dead letters") {
		t.Errorf("they are told: %s", got)
	}
}

// A cluster that is away is an error, and so is a source that does not exist.
func TestStatusFails(t *testing.T) {
	away := write(t, t.TempDir(), "c.yaml", fmt.Sprintf("kafka: {brokers: [%q]}", freeAddress(t)))
	for config, want := range map[string]string{away: "connecting to Kafka at", newWorld(t, "").config: "impressions"} {
		status, stdout, stderr := program(t, "", "status", "-c", config)
		if status != exitFailed || stdout != "" || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("status %d, output %q, errors %q; want status 1 and %q", status, stdout, stderr, want)
		}
	}
}

// parseDays knows the units of the configuration.
func TestLettersFlag(t *testing.T) {
	for text, want := range map[string]time.Duration{"12h": 12 * time.Hour, "7d": 168 * time.Hour, "1.5d": 36 * time.Hour, "1h30m": 90 * time.Minute, "all": 0, "none": 0} {
		var l letters
		if err := l.Set(text); err != nil || l.last != want || l.String() != text {
			t.Errorf("%s: %v, %s", text, err, l.last)
		}
	}
	for _, text := range []string{"", "d", "7", "0s", "-1h", "some", "1hd"} {
		if err := new(letters).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
