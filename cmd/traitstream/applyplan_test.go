package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/schemas"
	"traitstream/trait"
)

// plannedWorld is one whose sources have lost the beginning of their history.
type plannedWorld struct {
	world
	partitions int32
	waiting    []*kgo.Record // to be sent
	sent       []*kgo.Record
}

func newPlannedWorld(t *testing.T, traits string) *plannedWorld {
	t.Helper()
	w := &plannedWorld{world: newWorld(t, plannedSettings+traits), partitions: 3}
	w.create("impressions", w.partitions)
	return w
}

const plannedSettings = "state: {dir: data}\nhttp: {listen: \"\"}\nprocessor: {session_timeout: 6s}\n"

// put notes an impression of a user, so many seconds after others.
func (w *plannedWorld) put(partition int32, user, flag, treatment, environment string, second int) {
	at := 1772446530000 + int64(second)*1000
	w.waiting = append(w.waiting, &kgo.Record{
		Topic: "impressions", Partition: partition, Key: []byte(user), Timestamp: time.UnixMilli(at),
		Value: fmt.Appendf(nil, `{"key":%q,"split":%q,"treatment":%q,"time":%d,"splitVersionNumber":7,"environmentName":%q}`,
			user, flag, treatment, at, environment),
	})
}

// home is the partition of a user's task.
func (w *plannedWorld) home(user string) int32 { return kafka.Partition([]byte(user), w.partitions) }

func (w *plannedWorld) send() {
	w.Helper()
	w.produce(w.client, w.waiting...)
	w.sent, w.waiting = append(w.sent, w.waiting...), nil
}

// ends returns where the sources end now, so that retention can begin there later.
func (w *plannedWorld) ends() kadm.Offsets {
	w.Helper()
	ends, err := kadm.NewClient(w.client).ListEndOffsets(w.limit(), "impressions")
	if err != nil {
		w.Fatal(err)
	}
	return ends.Offsets()
}

// retain lets retention delete what lies before.
func (w *plannedWorld) retain(from kadm.Offsets) {
	w.Helper()
	deleted, err := kadm.NewClient(w.client).DeleteRecords(w.limit(), from)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		w.Fatal(err)
	}
}

// traits are what a subscriber holds in the end, by user/trait.
func (w *plannedWorld) traits() map[string]schemas.Change {
	w.Helper()
	held := map[string]schemas.Change{}
	err := readTopic(w.limit(), w.client, "traitstream-traits", startPoint{text: fromStart}, func(r *kgo.Record) error {
		key, err := schemas.DecodeKey(r.Key)
		if err != nil {
			return err
		}
		name := string(key.User) + "/" + string(key.Trait)
		if delete(held, name); r.Value == nil {
			return nil
		}
		held[name], err = schemas.DecodeValue(r.Value)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return held
}

// apply puts the definitions of a file in force while a process runs.
func (w *plannedWorld) apply(file string, args ...string) string {
	w.Helper()
	r := start(w.T, "run", "-c", w.config)
	got := succeed(w.T, append([]string{"apply", "-c", file, "--yes"}, args...)...)
	if status := r.stop(); status != exitDone {
		w.Fatalf("status %d: %s", status, r.stderr)
	}
	return got
}

// plannedBefore and plannedAfter are definitions of which one changes, one is only
// described otherwise, one expires, one goes and one comes.
const (
	plannedBefore = `traits:
  - {name: "{split}", where: {split: [f, h], environmentName: {exists: true}}}
  - {name: "kept_{split}", where: {split: g}}
  - {name: gone, where: {split: h}}
`
	plannedAfter = `traits:
  - {name: "{split}", where: {split: [f, h], environmentName: Production}, not_served: clear}
  - {name: "kept_{split}", description: "Now it's told", expire_after: 90000d, where: {split: g}}
  - {name: "seen_{split}", where: {split: [f, h]}}
  - {name: mistyped, where: {environmentName: Prodution}}
`
)

// history fills the world of these definitions: some of it has only the state, after
// retention.
func (w *plannedWorld) history() {
	w.Helper()
	user := func(i int) string { return fmt.Sprintf("user-%d", i) }
	for i := range 10 {
		w.put(w.home(user(i)), user(i), "f", "on", "Production", 1)
	}
	for i := range 5 {
		w.put(w.home(user(i)), user(i), "g", "off", "Production", 1)
	}
	w.put(w.home(user(7)), user(7), "f", "late", "Production", 9)
	w.send()
	old := w.ends()
	for i := range 5 {
		w.put(w.home(user(5+i)), user(5+i), "f", "off", "Production", 2)
	}
	for i := range 3 {
		w.put(w.home(user(i)), user(i), "h", "v1", "Staging", 3)
	}
	w.send()
	succeed(w.T, "run", "-c", w.config, "--until-caught-up")
	w.retain(old)
}

// A plan tells all that changes, and then that happens: what can't be recomputed stays
// where its definition does, and goes where that changes.
func TestPlanComesTrue(t *testing.T) {
	w := newPlannedWorld(t, plannedBefore)
	w.history()
	before := w.traits()
	if len(before) != 21 {
		t.Fatalf("%d traits", len(before))
	}
	file := w.file("new.yaml", plannedSettings+plannedAfter)
	golden(t, "plan.txt", succeed(t, "apply", "-c", file, "--dry-run"))
	golden(t, "plan.jsonl", succeed(t, "apply", "-c", file, "--dry-run", "--format", "json"))
	page, all := readFile(t, "../../docs/definitions.md"), object(t, readFile(t, "testdata/plan.jsonl"))
	for field := range all {
		if !strings.Contains(page, fmt.Sprintf("`%s`", field)) {
			t.Errorf("docs/definitions.md does not tell of %s", field)
		}
	}
	quick := succeed(t, "apply", "-c", file, "--dry-run", "--quick")
	if full := readFile(t, "testdata/plan.txt"); !strings.HasPrefix(full, strings.TrimSuffix(quick, "preview tells how many users and traits that concerns.\n")) {
		t.Errorf("without reading it is\n%s", quick)
	}
	if got := w.apply(file); !strings.HasPrefix(got, readFile(t, "testdata/plan.txt")) || !strings.HasSuffix(got, "\ngeneration 1 is in force\n") {
		t.Errorf("apply prints\n%s", got)
	}
	var got []string
	after := w.traits()
	for name := range before {
		switch _, there := after[name]; {
		case !there:
			got = append(got, "-"+name)
		case string(after[name].Emission.Value) != string(before[name].Emission.Value):
			got = append(got, "~"+name)
		}
	}
	for name := range after {
		if _, there := before[name]; !there {
			got = append(got, "+"+name)
		}
	}
	count := func(prefix, part string) (n int) {
		for _, name := range got {
			if strings.HasPrefix(name, prefix) && strings.HasSuffix(name, part) {
				n++
			}
		}
		return n
	}
	// Of f, five users' history is lost, and one's latest; h was in Staging alone.
	if count("-", "/f") != 5 || count("-", "/h") != 3 || count("-", "/gone") != 3 || count("~", "/f") != 1 ||
		count("+", "/seen_f") != 5 || count("+", "/seen_h") != 3 || len(got) != 20 {
		t.Errorf("what changed is %v", got)
	}
}

// An interrupt while the sources are read, and sources that can't be read, end apply
// with nothing applied.
func TestPlanNotRead(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	w := &plannedWorld{world: world{T: t, dir: t.TempDir(), brokers: cluster.ListenAddrs()}, partitions: 3}
	w.config = w.file("traitstream.yaml", plannedSettings+plannedBefore)
	w.client = w.newClient()
	w.create("impressions", w.partitions)
	w.history()
	details, err := kadm.NewClient(w.client).ListTopics(w.limit(), "impressions")
	if err != nil {
		t.Fatal(err)
	}
	source := [16]byte(details["impressions"].ID)
	file := w.file("new.yaml", plannedSettings+plannedAfter)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var tried atomic.Int32
	cluster.ControlKey(kmsg.Fetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		fetch := r.(*kmsg.FetchRequest)
		if len(fetch.Topics) == 0 || fetch.Topics[0].TopicID != source {
			return nil, nil, false
		}
		if tried.Add(1) == 1 {
			stop()
			return nil, nil, false
		}
		return denied(fetch), nil, true
	})
	apply := func(ctx context.Context, want string) {
		t.Helper()
		var out, errs output
		m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
		status := m.Run(ctx, []string{"apply", "-c", file, "--yes"})
		if status != exitFailed || !strings.HasSuffix(errs.String(), want) || strings.Contains(out.String(), "Against the running app") {
			t.Errorf("status %d\n%s\n%s", status, out.String(), errs.String())
		}
	}
	apply(ctx, "stopped while the sources were read: nothing was applied\n")
	if tried.Load() == 0 {
		t.Error("the sources were not read")
	}
	apply(t.Context(), "nothing was applied: --quick applies without reading what it comes to\n")
	if got := succeed(t, "definitions", "history", "-c", w.config); strings.Count(got, "\n") != 2 {
		t.Errorf("applied was\n%s", got)
	}
}

// denied answers that the user may not read.
func denied(r *kmsg.FetchRequest) *kmsg.FetchResponse {
	resp := r.ResponseKind().(*kmsg.FetchResponse)
	for _, of := range r.Topics {
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.TopicID = of.Topic, of.TopicID
		for _, p := range of.Partitions {
			partition := kmsg.NewFetchResponseTopicPartition()
			partition.Partition, partition.ErrorCode = p.Partition, 29 // TOPIC_AUTHORIZATION_FAILED
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// A file without traits stands for the default, and a plan says so; and a plan by which
// no trait changes reads nothing.
func TestPlansInWords(t *testing.T) {
	w := newPlannedWorld(t, plannedBefore)
	w.history()
	none := w.file("none.yaml", plannedSettings)
	got := succeed(t, "apply", "-c", none, "--dry-run", "--quick")
	if want := "\n" + none + " names no traits: the default is one trait per flag, {split}, and no others\n"; !strings.Contains(got, want) {
		t.Errorf("of no traits:\n%s\nwant\n%s", got, want)
	}
	if got := succeed(t, "apply", "-c", none, "--dry-run", "--quick", "--format", "json"); !strings.Contains(got, `"defaults":true`) || strings.Contains(got, `"preview"`) {
		t.Errorf("of no traits: %s", got)
	}
	got = succeed(t, "apply", "-c", w.file("told.yaml", plannedSettings+strings.Replace(plannedBefore, "name: gone,", "name: gone, description: Told,", 1)), "--dry-run")
	want := `against generation 0, which is in force:

    kept     {split}
    kept     kept_{split}
    kept     gone  (another description; not computed anew)

  gone  description: none → Told

no trait changes by this
`
	if got != want {
		t.Errorf("of a description:\n%s\nwant\n%s", got, want)
	}
	got = succeed(t, "apply", "-c", w.file("one.yaml", plannedSettings+"traits: [{name: \"{split}\", where: {split: [f, h]}}, {name: gone, where: {split: h}}]\n"), "--dry-run", "--quick")
	if !strings.HasPrefix(got, "against generation 0, which is in force:\n\n  ~ changed  {split}\n    kept     gone\n  - removed  kept_{split}\n\n  {split}  where.environmentName: {exists: \"true\"} → none\n") {
		t.Errorf("of one that changes:\n%s", got)
	}
}

// A definition that may have fed the traits of one that goes is computed anew, and is
// what it was nevertheless.
func TestPlanOfOneThatFedAnother(t *testing.T) {
	before, after := parsed(t, `traits: [{name: "{split}", where: {split: plan}}, {name: plan}]`), parsed(t, "traits: [{name: plan}]")
	list, err := planOf(before.Traits, after.Traits, trait.NewChange(before.Set, after.Set))
	if err != nil || len(list) != 2 || list[0].Change != "kept" || !list[0].Recomputed || !strings.Contains(list[0].remark(), "computed anew") ||
		list[1].Change != "removed" {
		t.Errorf("%+v, %v", list, err)
	}
}

func parsed(t *testing.T, yaml string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(yaml), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// A plan is not carried out when other definitions have come into force since.
func TestPlanAgainstOthers(t *testing.T) {
	w := newPlannedWorld(t, plannedBefore)
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	cfg, err := config.Load(w.config)
	if err != nil {
		t.Fatal(err)
	}
	a, err := (&Main{}).openJobs(w.limit(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	base := uint32(3)
	_, err = a.jobs.Define(w.limit(), a.conn.options, processor.DefineRequest{Traits: cfg.Traits, Base: &base})
	if err == nil || !strings.Contains(err.Error(), "generation 0 is in force by now, and no longer 3") {
		t.Errorf("%v", err)
	}
	if got := succeed(t, "definitions", "history", "-c", w.config); strings.Count(got, "\n") != 2 {
		t.Errorf("applied was\n%s", got)
	}
}
