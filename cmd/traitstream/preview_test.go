package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"

	"traitstream/kafka"
	"traitstream/preview"
	"traitstream/trait"
)

// previewed is a world with history, of which an app has made traits by one
// definition.
func previewed(t *testing.T) world {
	t.Helper()
	w := newWorld(t, "state: {dir: data}\nhttp: {listen: \"127.0.0.1:0\"}\n")
	w.create("impressions", 3)
	var records []*kgo.Record
	put := func(user, flag, treatment, environment string, seconds int) {
		at := 1772446530000 + int64(seconds)*1000
		records = append(records, &kgo.Record{
			Topic: "impressions", Partition: kafka.Partition([]byte(user), 3), Key: []byte(user), Timestamp: time.UnixMilli(at),
			Value: fmt.Appendf(nil, `{"key":%q,"split":%q,"treatment":%q,"time":%d,"label":"default rule","splitVersionNumber":7,"environmentName":%q}`,
				user, flag, treatment, at, environment),
		})
	}
	const days = 24 * 60 * 60
	for i := range 30 {
		user := fmt.Sprintf("user-%04d", 1000+i)
		put(user, "back_end_roll_algorithm", []string{"on", "off", "off"}[i%3], "Production", i)
		put(user, "new_checkout", []string{"v1", "v2"}[i%2], "Production", days+i)
		if i%10 == 0 {
			put(user, "back_end_roll_algorithm", "on", "Staging", 2*days+i)
			put(user, "old_banner", "off", "Staging", 2*days+i)
		}
	}
	put("user-1001", "new_checkout", "control", "Production", 3*days)
	records = append(records, &kgo.Record{Topic: "impressions", Value: []byte(`{"key":"u"`), Timestamp: time.UnixMilli(1772446530000)})
	w.produce(w.client, records...)
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	return w
}

// definitions is what previews of such a world try, and the page about it.
const definitions = `traits:
  - name: "{split}"
    description: What production shows
    where: {environmentName: Production, split: {not_equals: old_banner}}
  - name: mistyped
    where: {environmentName: Prodution}
  - {name: checkout, where: {split: new_checkout}}
`

// file writes a configuration of the world with other definitions.
func (w world) file(name, text string) string {
	w.Helper()
	return write(w.T, w.dir, name, fmt.Sprintf("kafka: {brokers: [%q]}\n%s", w.brokers[0], text))
}

func TestPreviewAsText(t *testing.T) {
	w := previewed(t)
	topics := w.topics()
	golden(t, "preview.txt", succeed(t, "preview", "-c", w.file("new.yaml", definitions), "--sample", "3"))
	if after := w.topics(); !slices.Equal(topics, after) {
		t.Errorf("topics were %v and are %v", topics, after)
	}
	got := succeed(t, "preview", "-c", w.config)
	if want := "  + 0 to add, ~ 0 to change, - 0 to remove, 63 stay as they are\n"; !strings.HasSuffix(got, want) {
		t.Errorf("of what runs:\n%s", got)
	}
	const nothing = "nothing yields a trait no such: --trait names a trait, or one of the file's definitions: {split}, mistyped, checkout\n"
	if status, _, stderr := program(t, "", "preview", "-c", w.file("new.yaml", definitions), "--trait", "no such"); status != exitFailed || !strings.HasSuffix(stderr, nothing) {
		t.Errorf("of no trait: status %d\n%s", status, stderr)
	}
}

// The page about previews shows what these definitions really come to.
func TestPreviewPage(t *testing.T) {
	page := readFile(t, "../../docs/preview.md")
	want := "```yaml\n" + definitions + "```\n\n```sh\ntraitstream preview -c new.yaml --sample 3\n```\n\n```text\n" +
		readFile(t, "testdata/preview.txt") + "```\n"
	if !strings.Contains(page, want) {
		t.Errorf("docs/preview.md lacks\n%s", want)
	}
	help := succeed(t, "preview", "--help")
	for _, row := range regexp.MustCompile("(?m)^\\| `(--[a-z]+)").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(help, row[1]+" ") {
			t.Errorf("the help lacks %s", row[1])
		}
	}
}

func TestPreviewAsJSON(t *testing.T) {
	w := previewed(t)
	golden(t, "preview.jsonl", succeed(t, "preview", "-c", w.file("new.yaml", definitions), "--sample", "1", "--format", "json"))
	lines := strings.Split(strings.TrimSpace(succeed(t, "preview", "-c", w.config, "--users", "10", "--format", "json", "--trait", "new_checkout", "--since", "2026-03-03")), "\n")
	var d jsonPreview
	var all jsonPreviewed
	if err := json.Unmarshal([]byte(lines[0]), &d); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &all); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 2 || d.Definition != "{split}" || d.Impressions != 30 || !d.Users.Estimated || d.Users.Count != 30 || len(d.Traits) != 1 ||
		all.OneIn < 2 || !all.Complete || all.Difference.Removed+all.Difference.Changed != 0 {
		t.Errorf("%s", lines)
	}
}

// On a terminal there are bars and colours.
func TestPreviewOnATerminal(t *testing.T) {
	p := &previewPrinter{bars: true, colours: true}
	for share, want := range map[float64]string{0: "", 1: strings.Repeat("█", 20), 0.5: strings.Repeat("█", 10), 0.26: "█████▎"} {
		if got := p.bar(share); got != want {
			t.Errorf("%v: %q", share, got)
		}
	}
	if got := p.removed("3 to remove"); got != "\x1b[31m- 3 to remove\x1b[0m" {
		t.Errorf("%q", got)
	}
}

func TestMissWords(t *testing.T) {
	for _, c := range []struct {
		miss trait.Miss
		want string
	}{
		{trait.Miss{Kind: trait.MissCondition, Condition: "environmentName equals Prodution", Tried: 1_200_000, Nearest: "Production"},
			"environmentName equals Prodution: 0 of 1.2 M; nearest: Production"},
		{trait.Miss{Kind: trait.MissCondition, Condition: "properties.plan exists", Tried: 7, Absent: 7}, "properties.plan exists: 0 of 7; it is absent from all"},
		{trait.Miss{Kind: trait.MissEvent, Condition: "get_treatmnt"}, "event get_treatmnt: no impression is of it"},
		{trait.Miss{Kind: trait.MissTogether, Tried: 5}, "each condition holds for some of 5 impressions, but for none do all that must"},
		{trait.Miss{Kind: trait.MissFact, Condition: "properties.plan", Tried: 5}, "the 5 impressions for which the conditions hold lack properties.plan"},
	} {
		if got := missWords(&c.miss); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// An interrupt prints what there is, which says that it is not all. Here it comes
// while the sources are read.
func TestPreviewInterrupted(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	w := world{T: t, dir: t.TempDir(), brokers: cluster.ListenAddrs()}
	w.config = w.file("traitstream.yaml", "")
	w.client = w.newClient()
	w.create("impressions", 32)
	var records []*kgo.Record
	for i := range 3200 {
		records = append(records, &kgo.Record{
			Topic: "impressions", Partition: int32(i % 32), Timestamp: time.UnixMilli(1772446530000),
			Value: fmt.Appendf(nil, `{"key":"u%d","split":"f","treatment":"on","time":1772446530000}`, i),
		})
	}
	w.produce(w.client, records...)
	for format, want := range map[string]string{"text": "INCOMPLETE: ", "json": `"complete":false`} {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var fetched atomic.Int32
		cluster.ControlKey(kmsg.Fetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			if fetched.Add(1) == 10 {
				stop()
			}
			return nil, nil, false
		})
		var out, errs output
		m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
		status := m.Run(ctx, []string{"preview", "-c", w.config, "--format", format})
		if status != exitFailed || !strings.Contains(out.String(), want) || !strings.Contains(out.String(), "{split}") ||
			!strings.Contains(errs.String(), "stopped before all was read") {
			t.Errorf("%s: status %d: %s\n%s", format, status, out.String(), errs.String())
		}
		if format == "text" && !strings.Contains(out.String(), "Not compared with the running app") {
			t.Errorf("%s", out.String())
		}
	}
}

func TestPreviewRefuses(t *testing.T) {
	w := newWorld(t, "")
	w.create("impressions", 1)
	bad := w.file("bad.yaml", "traits: [{name: \"{split\"}, {name: x, where: {environment: y}}]\n")
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-c", w.config, "--sample", "-1"}, exitUsage, "--sample"},
		{[]string{"-c", w.config, "--users", "0"}, exitUsage, "--users"},
		{[]string{"-c", w.config, "--memory", "0"}, exitUsage, "--memory"},
		{[]string{"-c", w.config, "--since", "soon"}, exitUsage, "--since"},
		{[]string{"-c", w.config, "--since", "2999-01-01"}, exitUsage, "--since 2999-01-01 lies in the future"},
		{[]string{"-c", w.file("two.yaml", "traits: [{name: a}, {name: \"b_{split}\"}]\n"), "--trait", "c"}, exitFailed, "one of the file's definitions: a, b_{split}\n"},
		{[]string{"-c", w.config, "all"}, exitUsage, "all"},
		{[]string{"-c", filepath.Join(w.dir, "none.yaml")}, exitUsage, "none.yaml"},
		{[]string{"-c", bad}, exitUsage, bad + ":2:17: name: unbalanced brace"},
		{[]string{"-c", bad}, exitUsage, bad + ":2:46: unknown property \"environment\""},
		{[]string{"-c", w.file("far.yaml", "sources: [{topic: impresions}]\n")}, exitFailed, "did you mean impressions?"},
	} {
		status, stdout, stderr := program(t, "", append([]string{"preview"}, c.args...)...)
		if status != c.status || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, output %q, errors %q, want %q", c.args, status, stdout, stderr, c.want)
		}
	}
}

// Who was forgotten is not previewed with what was seen before.
func TestPreviewKnowsWhoWasForgotten(t *testing.T) {
	s := newStage(t, "output: {partitions: 3}\n")
	r := s.run(t)
	succeed(t, "import", "-c", s.config, write(t, s.dir, "in.jsonl",
		segmentEvent("u1", "f", "on", 1)+segmentEvent("u1", "g", "on", 1)+segmentEvent("u2", "f", "on", 1)+segmentEvent("u2", "g", "on", 1)))
	r.until("four traits are there", func() bool { return len(s.values(t)) == 4 })
	succeed(t, "forget", "-c", s.config, "--yes", "u1")
	succeed(t, "forget", "-c", s.config, "--yes", "--trait", "g", "u2")
	got := succeed(t, "preview", "-c", s.config)
	if !strings.HasSuffix(got, "  + 0 to add, ~ 0 to change, - 0 to remove, 1 stay as they are\n") || strings.Contains(got, "u1") {
		t.Errorf("%s", got)
	}
	if status := r.stop(); status != 0 {
		t.Errorf("status %d: %s", status, r.stderr)
	}
}

// The time to finish is told, and a stage that begins starts from nothing.
func TestPreviewProgress(t *testing.T) {
	now := time.Unix(0, 0)
	p := previewProgress{now: func() time.Time { return now }}
	if _, ok := p.reading(); ok {
		t.Error("there is progress before the first")
	}
	p.reached(preview.StageHeld, 0, 10)
	p.reached(preview.StageSources, 0, 4000)
	now = now.Add(2 * time.Second)
	p.reached(preview.StageSources, 1000, 4000)
	p.reached(preview.StageSources, 500, 4000) // a slow reader
	r, _ := p.reading()
	if r.done != 1000 || r.total != 4000 || r.doing != "reading sources " || r.words != " 1.0 k of 4.0 k offsets  500/s  6 s left" {
		t.Errorf("%+v", r)
	}
}

// Sources and traits in Avro are read as any others.
func TestPreviewInAvro(t *testing.T) {
	reg := newFakeRegistry(t, 0)
	w := newWorld(t, fmt.Sprintf("http: {listen: \"\"}\nstate: {dir: data}\nsources: [{topic: a, format: avro}]\noutput: {format: avro}\nschema_registry: {url: %q}\n", reg.URL()))
	w.create("a", 2)
	id, _, err := reg.RegisterSchema("s", sr.Schema{Schema: export})
	if err != nil {
		t.Fatal(err)
	}
	var records []*kgo.Record
	for i := range 10 {
		body := append(avroBody(1, fmt.Sprint("u", i)), avroBody("g", "off", 1772446530123, 0, 1665436973467)...)
		records = append(records, &kgo.Record{Topic: "a", Partition: int32(i % 2), Value: prefixed(id, body)})
	}
	w.produce(w.client, records...)
	for _, want := range []string{"  + 10 to add, ~ 0 to change, - 0 to remove, 0 stay as they are\n", "  + 0 to add, ~ 0 to change, - 0 to remove, 10 stay as they are\n"} {
		if got := succeed(t, "preview", "-c", w.config); !strings.HasSuffix(got, want) {
			t.Errorf("%s\nwant %s", got, want)
		}
		succeed(t, "run", "-c", w.config, "--until-caught-up")
	}
}
