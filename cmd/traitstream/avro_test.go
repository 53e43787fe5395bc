package main

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
)

// newFakeRegistry is a registry in this process. Something else has the first ids.
func newFakeRegistry(t *testing.T, others int) *srfake.Registry {
	t.Helper()
	r := srfake.New()
	t.Cleanup(r.Close)
	for i := range others {
		text := fmt.Sprintf(`{"type":"fixed","name":"F","size":%d}`, i+1)
		if _, _, err := r.RegisterSchema(fmt.Sprint("other-", i), sr.Schema{Schema: text}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func avroOutput(url string) string {
	return fmt.Sprintf("http: {listen: \"\"}\nstate: {dir: data}\noutput: {format: avro, partitions: 2}\nschema_registry: {url: %q, timeout: 2s}\n", url)
}

// tapped is what tap prints of a record.
type tapped struct {
	Key, Value json.RawMessage
}

func (w world) tapped(more ...string) (all []tapped) {
	w.Helper()
	for line := range strings.Lines(succeed(w.T, append([]string{"tap", "-c", w.config, "--until-end", "--format", "json"}, more...)...)) {
		var r tapped
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			w.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// The traits topic in Avro says what it says in JSON: to tap, to verify, by the
// same ids of changes; and neither goes into the other's topic.
func TestAvroOutput(t *testing.T) {
	reg := newFakeRegistry(t, 3)
	w := newWorld(t, avroOutput(reg.URL()))
	w.create("impressions", 2)
	file := write(t, w.dir, "in.jsonl", segmentEvent("u1", "f", "on", 1)+segmentEvent("u2", "f", "off", 1)+segmentEvent("u1", "f", "off", 2))
	succeed(t, "import", "-c", w.config, file)
	succeed(t, "run", "-c", w.config, "--until-caught-up")

	var keys, values []string
	for _, r := range w.tapped() {
		var v struct {
			ID, Value, ValueType, SeenAt string
			Previous                     *string
		}
		if err := json.Unmarshal([]byte(strings.NewReplacer(`"value_type"`, `"ValueType"`, `"seen_at"`, `"SeenAt"`).Replace(string(r.Value))), &v); err != nil {
			t.Fatalf("%s: %v", r.Value, err)
		}
		keys = append(keys, string(r.Key))
		previous := "null"
		if v.Previous != nil {
			previous = *v.Previous
		}
		values = append(values, strings.Join([]string{v.ID, previous, v.Value, v.ValueType, v.SeenAt}, " "))
	}
	slices.Sort(keys)
	slices.Sort(values)
	if want := []string{
		`{"identity":"user","id":"u1","trait":"f"}`, `{"identity":"user","id":"u1","trait":"f"}`, `{"identity":"user","id":"u2","trait":"f"}`,
	}; !slices.Equal(keys, want) {
		t.Errorf("the keys are %v", keys)
	}
	if want := []string{
		"u1 null on string 2026-03-02T10:00:01.000Z", "u1 on off string 2026-03-02T10:00:02.000Z", "u2 null off string 2026-03-02T10:00:01.000Z",
	}; !slices.Equal(values, want) {
		t.Errorf("the values are %v", values)
	}
	succeed(t, "verify", "-c", w.config)
	succeed(t, "validate", "-c", w.config, "--connect")
	succeed(t, "run", "-c", w.config, "--until-caught-up")

	refused := func(what, config, want string) {
		t.Helper()
		file := write(t, w.dir, what+".yaml", fmt.Sprintf("kafka: {brokers: [%q]}\n%s", w.brokers[0], config))
		for _, args := range [][]string{{"run", "--until-caught-up"}, {"validate", "--connect"}} {
			if what == "another registry" && args[0] == "validate" {
				continue // it registers nothing, so it does not know
			}
			status, _, stderr := program(t, "", append(args, "-c", file)...)
			if status != exitFailed || !strings.Contains(stderr, want) {
				t.Errorf("%s: %v ends with %d: %s", what, args, status, stderr)
			}
		}
	}
	refused("json", "http: {listen: \"\"}\nstate: {dir: data}\n", "holds keys in Avro (schema 4), and output.format is json")
	refused("another registry", avroOutput(newFakeRegistry(t, 0).URL()), "which is not in this registry, where the key's schema is 1")
}

// A topic that has keys in JSON does not get such in Avro.
func TestAvroAfterJSON(t *testing.T) {
	w := newWorld(t, "http: {listen: \"\"}\nstate: {dir: data}\n")
	w.create("impressions", 2)
	succeed(t, "import", "-c", w.config, write(t, w.dir, "in.jsonl", segmentEvent("u1", "f", "on", 1)))
	succeed(t, "run", "-c", w.config, "--until-caught-up")
	reg := newFakeRegistry(t, 0)
	file := write(t, w.dir, "avro.yaml", fmt.Sprintf("kafka: {brokers: [%q]}\n%s", w.brokers[0], avroOutput(reg.URL())))
	status, _, stderr := program(t, "", "run", "-c", file, "--until-caught-up")
	if status != exitFailed || !strings.Contains(stderr, "holds keys in JSON, and output.format is avro") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// Once it runs, the output needs no registry.
func TestRegistryAwayAfterStart(t *testing.T) {
	reg := newFakeRegistry(t, 0)
	w := newWorld(t, avroOutput(reg.URL()))
	w.create("impressions", 1)
	r := start(t, "run", "-c", w.config)
	r.until("it runs", func() bool { return strings.Contains(r.stderr.String(), `"msg":"running"`) })
	reg.Close()
	succeed(t, "import", "-c", w.config, write(t, w.dir, "in.jsonl", segmentEvent("u1", "f", "on", 1)))
	r.until("a change is out", func() bool { return w.count("traitstream-traits") == 1 })
	if status := r.stop(); status != exitDone {
		t.Errorf("status %d: %s", status, r.stderr)
	}
	status, _, stderr := program(t, "", "run", "-c", w.config)
	if status != exitFailed || !strings.Contains(stderr, "no answer within 2s (schema_registry.timeout)") {
		t.Errorf("a start without a registry ends with %d: %s", status, stderr)
	}
}

const (
	// webhook is as a team would write down the webhook's payload.
	webhook = `{"type":"record","name":"Impression","namespace":"split","fields":[
		{"name":"key","type":"string"},
		{"name":"split","type":"string"},
		{"name":"treatment","type":"string"},
		{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"}},
		{"name":"environmentName","type":["null","string"]},
		{"name":"splitVersionNumber","type":"long"},
		{"name":"properties","type":{"type":"map","values":["null","double","string"]}},
		{"name":"unknown","type":{"type":"array","items":"int"}}]}`
	// later has lost a field, got another, and widened one.
	later = `{"type":"record","name":"Impression","namespace":"split","fields":[
		{"name":"note","type":"string"},
		{"name":"key","type":"bytes"},
		{"name":"split","type":{"type":"enum","name":"Flag","symbols":["f","g"]}},
		{"name":"treatment","type":"string"},
		{"name":"time","type":"double"}]}`
	// export is as the columns of the S3 export.
	export = `{"type":"record","name":"Export","fields":[
		{"name":"keyName","type":["null","string"]},
		{"name":"splitName","type":"string"},
		{"name":"treatment","type":"string"},
		{"name":"timestamp","type":"long"},
		{"name":"splitVersion","type":["long","null"]}]}`
)

// avroBody puts an Avro body together: whole numbers as varints, texts with their
// length before them, nil for null, the first branch of a union.
func avroBody(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case nil:
			b = append(b, 0)
		case int:
			b = binary.AppendVarint(b, int64(p))
		case string:
			b = append(binary.AppendVarint(b, int64(len(p))), p...)
		case float64:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p))
		}
	}
	return b
}

func prefixed(id int, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), body...)
}

// Sources in Avro: names by the same aliases as JSON, schemas by prefix or header,
// what can't be read to the dead letters with its own bytes, and users who belong
// elsewhere forwarded.
func TestAvroSources(t *testing.T) {
	reg := newFakeRegistry(t, 0)
	w := newWorld(t, fmt.Sprintf(`
http: {listen: ""}
state: {dir: data}
sources: [{topic: a, format: avro, environment: Prod}]
traits:
  - {name: "{split}"}
  - {name: "price_{split}", property: properties.price}
output: {partitions: 2}
schema_registry: {url: %q}
`, reg.URL()))
	w.create("a", 2)
	ids := map[string]int{}
	for _, text := range []string{webhook, later, export} {
		id, _, err := reg.RegisterSchema(fmt.Sprint("s", len(ids)), sr.Schema{Schema: text})
		if err != nil {
			t.Fatal(err)
		}
		ids[text] = id
	}
	record := func(partition int32, value []byte, headers ...kgo.RecordHeader) *kgo.Record {
		return &kgo.Record{Topic: "a", Partition: partition, Value: value, Headers: headers}
	}
	const ms = 1772446530123
	hook := func(user string) []byte {
		properties := []any{2, "price", 1, 2.5, "none", nil, 0}
		unknown := []any{2, 1, 2, 0}
		body := avroBody(user, "f", "on", ms*1000+7, 1, "Staging", 7)
		return prefixed(ids[webhook], append(append(body, avroBody(properties...)...), avroBody(unknown...)...))
	}
	exported := func(user ...any) []byte {
		return append(avroBody(user...), avroBody("g", "off", ms, 0, 1665436973467)...)
	}
	evolved := avroBody("", "u2", 0, "v2", float64(ms+1))
	byID := kgo.RecordHeader{Key: "__value_schema_id", Value: prefixed(ids[export], nil)}
	guid := kgo.RecordHeader{Key: "__value_schema_id", Value: append([]byte{1}, guidOf(t, reg, ids[export])...)}
	bad := prefixed(ids[webhook], []byte("\x02"))
	unknown := prefixed(99, []byte("x"))
	w.produce(w.newClient(),
		record(0, hook("u1")), record(1, hook("u1b")), record(0, hook("u2")), record(0, prefixed(ids[later], evolved)),
		record(0, exported(1, "u3"), byID), record(1, exported(1, "u4"), guid),
		record(0, bad), record(0, unknown), record(0, []byte(`{"key":"u","split":"f","treatment":"on","time":1}`)),
		record(0, exported(nil), byID), record(0, nil),
	)
	succeed(t, "run", "-c", w.config, "--until-caught-up")

	var got []string
	for _, r := range w.tapped() {
		var v struct {
			ID, Trait, SeenAt string
			Environment       *string
			Value             json.RawMessage
			FlagVersion       int64
		}
		text := strings.NewReplacer(`"seen_at"`, `"SeenAt"`, `"flag_version"`, `"FlagVersion"`).Replace(string(r.Value))
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(v.ID, " ", v.Trait, " ", string(v.Value), " ", v.SeenAt, " ", v.FlagVersion, " ", *v.Environment))
	}
	slices.Sort(got)
	want := []string{
		`u1 f "on" 2026-03-02T10:15:30.123Z 7 Staging`, `u1 price_f 2.5 2026-03-02T10:15:30.123Z 7 Staging`,
		`u1b f "on" 2026-03-02T10:15:30.123Z 7 Staging`, `u1b price_f 2.5 2026-03-02T10:15:30.123Z 7 Staging`,
		`u2 f "on" 2026-03-02T10:15:30.123Z 7 Staging`, `u2 f "v2" 2026-03-02T10:15:30.124Z 0 Prod`, `u2 price_f 2.5 2026-03-02T10:15:30.123Z 7 Staging`,
		`u3 g "off" 2026-03-02T10:15:30.123Z 1665436973467 Prod`, `u4 g "off" 2026-03-02T10:15:30.123Z 1665436973467 Prod`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	letters := map[string]string{}
	err := readTopic(w.limit(), w.client, "traitstream-dead-letters", startPoint{text: fromStart}, func(r *kgo.Record) error {
		letters[string(headerOf(r, "__traitstream.errors.offset"))] = string(headerOf(r, "__traitstream.errors.reason")) + " " + hex.EncodeToString(r.Value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(letters) != 5 || letters["4"] != "malformed "+hex.EncodeToString(bad) || letters["5"] != "unknown_schema "+hex.EncodeToString(unknown) ||
		!strings.HasPrefix(letters["6"], "malformed ") || letters["7"] != "missing_user "+hex.EncodeToString(exported(nil)) || letters["8"] != "malformed " {
		t.Errorf("the dead letters are %v", letters)
	}
	succeed(t, "verify", "-c", w.config)
	if all := w.tapped("--topic", "a"); len(all) != 11 || !strings.Contains(string(all[0].Value)+string(all[6].Value), `"split":"f"`) {
		t.Errorf("tap shows %s", all)
	}
	if status, _, stderr := program(t, "{}", "import", "-c", w.config, "-"); status != exitUsage || !strings.Contains(stderr, "a is read as Avro") {
		t.Errorf("import ends with %d: %s", status, stderr)
	}
	succeed(t, "demo", "-c", w.config)
}

// guidOf returns a schema's GUID as bytes.
func guidOf(t *testing.T, reg *srfake.Registry, id int) []byte {
	t.Helper()
	cl, err := sr.NewClient(sr.URLs(reg.URL()), sr.HTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	if err != nil {
		t.Fatal(err)
	}
	all, err := cl.SchemaUsagesByID(t.Context(), id)
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(all[0].GUID, "-", ""))
	if err != nil || len(b) != 16 {
		t.Fatalf("%q is no GUID: %v", all[0].GUID, err)
	}
	return b
}

// While the registry is away, impressions wait; they do not become dead letters.
func TestAvroSourceWaitsForTheRegistry(t *testing.T) {
	reg := newFakeRegistry(t, 0)
	id, _, err := reg.RegisterSchema("s", sr.Schema{Schema: export})
	if err != nil {
		t.Fatal(err)
	}
	var away atomic.Bool
	away.Store(true)
	reg.Intercept(func(out http.ResponseWriter, _ *http.Request) bool {
		if away.Load() {
			out.WriteHeader(http.StatusServiceUnavailable)
		}
		return away.Load()
	})
	w := newWorld(t, fmt.Sprintf("http: {listen: \"\"}\nstate: {dir: data}\nsources: [{topic: a, format: avro}]\nschema_registry: {url: %q}\n", reg.URL()))
	w.create("a", 1)
	w.produce(w.newClient(), &kgo.Record{Topic: "a", Value: prefixed(id, avroBody(1, "u", "g", "off", 1772446530123, 1))})
	r := start(t, "run", "-c", w.config)
	r.until("the wait is told", func() bool { return strings.Count(r.stderr.String(), "asking the schema registry") >= 2 })
	if n := w.count("traitstream-dead-letters"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	if strings.Contains(r.stderr.String(), "kafka.brokers") {
		t.Errorf("the brokers are blamed: %s", r.stderr)
	}
	away.Store(false)
	r.until("a change is out", func() bool { return w.count("traitstream-traits") == 1 })
	if status := r.stop(); status != exitDone {
		t.Errorf("status %d: %s", status, r.stderr)
	}
}
