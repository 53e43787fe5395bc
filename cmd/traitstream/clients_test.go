package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"traitstream/schemas"
)

// subscriber is a client of the traits topic that nobody here wrote.
type subscriber struct {
	name string
	// read returns what the client prints of a topic that holds so many records.
	read func(w *realWorld, topic string, records int) string
	// removes tells that the client tells of removals too.
	removes bool
}

// Against the Kafka of TRAITSTREAM_TEST_BROKERS: whoever reads the traits topic,
// each with a client of its own, comes to the table that tap tells of, removals
// included.
func TestRealClientsRebuildTheTable(t *testing.T) {
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("set TRAITSTREAM_TEST_BROKERS=host:port,... to test against a real Kafka")
	}
	needKcat(t)
	dir := clients(t)
	w := newRealWorld(t, brokers, clearing)
	w.fill()
	w.compareTables(
		subscriber{"kcat", kcatTable, true},
		subscriber{"confluent-kafka", pythonTable(dir, "json"), true},
		subscriber{"kafka-console-consumer", consoleTable(dir), true},
		subscriber{"GlobalKTable", streamsTable(dir), false},
	)
}

// clearing lets what was not served remove a trait.
const clearing = "traits: [{name: \"{split}\", not_served: clear}]\n"

// fill fills the traits topic, with removals for two reasons.
func (w *realWorld) fill() {
	w.t.Helper()
	dir := w.t.TempDir()
	var users strings.Builder
	for i := range 20 {
		fmt.Fprintf(&users, "user-%d-ü\n", i)
	}
	succeed(w.t, "import", "-c", w.config, "--lines", write(w.t, dir, "in.jsonl", newInput(3000).values))
	succeed(w.t, "run", "-c", w.config, "--until-caught-up")
	r := start(w.t, "run", "-c", w.config, "--leave")
	succeed(w.t, "forget", "-c", w.config, "--yes", "--file", write(w.t, dir, "users.txt", users.String()))
	if status := r.stop(); status != exitDone {
		w.t.Errorf("status %d: %s", status, r.stderr)
	}
}

// compareTables compares what subscribers come to with what tap tells.
func (w *realWorld) compareTables(subscribers ...subscriber) {
	w.t.Helper()
	want, records, removals := tapTable(w.t, succeed(w.t, "tap", "-c", w.config, "--until-end", "--format", "json"))
	if len(want) < 500 || removals["not_served"] < 50 || removals["forgotten"] < 20 {
		w.t.Fatalf("tap tells of %d traits and of the removals %v only", len(want), removals)
	}
	for _, s := range subscribers {
		w.t.Run(s.name, func(t *testing.T) {
			here := *w
			here.t = t
			got, met := readTable(t, s.read(&here, w.app+"-traits", records))
			if diff := difference(got, want); diff != "" {
				t.Error(diff)
			}
			if s.removes && !maps.Equal(met, removals) {
				t.Errorf("it tells of the removals %v, tap of %v", met, removals)
			}
		})
	}
}

// clients returns the folder of what the test runs, which setup.sh makes once.
func clients(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", filepath.Join("testdata", "clients", "setup.sh"))
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("setting up the clients: %v: %s", err, errs.String())
		}
		t.Skipf("setting up the clients (python3 with venv, Maven and a JDK of 17 or newer are needed): %v: %s", err, errs.String())
	}
	return strings.TrimSpace(out.String())
}

// client runs a client and returns what it prints.
func (w *realWorld) client(program string, args ...string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		w.t.Fatalf("%s: %v: %s", program, err, errs.String())
	}
	return out.String()
}

func kcatTable(w *realWorld, topic string, _ int) string {
	return w.kcat("", "-C", "-t", topic, "-e", "-q", "-Z", "-X", "isolation.level=read_committed", "-f", `%h\t%k\t%s\n`)
}

func python(dir string) string { return filepath.Join(dir, "python", "bin", "python") }

func pythonTable(dir string, form ...string) func(*realWorld, string, int) string {
	return func(w *realWorld, topic string, _ int) string {
		return w.client(python(dir),
			append([]string{filepath.Join("testdata", "clients", "table.py"), w.brokers, topic}, form...)...)
	}
}

func consoleTable(dir string) func(*realWorld, string, int) string {
	return func(w *realWorld, topic string, records int) string {
		return w.client("java", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(dir, "java", "libs", "*"), "org.apache.kafka.tools.consumer.ConsoleConsumer",
			"--bootstrap-server", w.brokers, "--topic", topic, "--from-beginning", "--isolation-level", "read_committed",
			"--max-messages", strconv.Itoa(records), "--timeout-ms", "60000",
			"--formatter-property", "print.headers=true", "--formatter-property", "print.key=true", "--formatter-property", "null.literal=NULL")
	}
}

func streamsTable(dir string) func(*realWorld, string, int) string {
	return func(w *realWorld, topic string, _ int) string {
		path := filepath.Join(dir, "java", "classes") + string(os.PathListSeparator) + filepath.Join(dir, "java", "libs", "*")
		return w.client("java", "-XX:TieredStopAtLevel=1", "-cp", path, "clients.Table", w.brokers, topic, w.t.TempDir())
	}
}

// tapTable returns the table that tap's records make, a sorted line of key and
// value for each row, how many records there were, and removals by their reason.
func tapTable(t *testing.T, out string) (rows []string, records int, removals map[string]int) {
	t.Helper()
	table := map[string]string{}
	removals = map[string]int{}
	for line := range strings.Lines(out) {
		var r struct {
			Key, Value json.RawMessage
			Headers    []struct{ Key, Value string }
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		records++
		key := canonical(t, string(r.Key))
		if string(r.Value) != "null" {
			table[key] = canonical(t, string(r.Value))
			continue
		}
		delete(table, key)
		for _, h := range r.Headers {
			if h.Key == schemas.HeaderReason {
				removals[h.Value]++
			}
		}
	}
	return sorted(table), records, removals
}

// reason finds a removal's reason in headers as clients print them.
var reason = regexp.MustCompile(schemas.HeaderReason + `[=:](\w+)`)

// readTable returns the same of what a client prints, by tabs: headers, key and
// value of records as they come, NULL for a removal; or the rows of its table, and
// then "removals", reason and number.
func readTable(t *testing.T, out string) (rows []string, removals map[string]int) {
	t.Helper()
	table := map[string]string{}
	removals = map[string]int{}
	for line := range strings.Lines(out) {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(parts) < 2 {
			t.Fatalf("what is %q?", line)
		}
		last := parts[len(parts)-1]
		if parts[0] == "removals" {
			n, err := strconv.Atoi(last)
			if err != nil {
				t.Fatal(err)
			}
			removals[parts[1]] += n
			continue
		}
		key := canonical(t, parts[len(parts)-2])
		if last != "NULL" {
			table[key] = canonical(t, last)
			continue
		}
		delete(table, key)
		for _, found := range reason.FindAllStringSubmatch(parts[0], -1) {
			removals[found[1]]++
		}
	}
	return sorted(table), removals
}

// canonical returns JSON with its fields sorted: a client need not keep their
// order.
func canonical(t *testing.T, text string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func sorted(table map[string]string) (rows []string) {
	for key, value := range table {
		rows = append(rows, key+"\t"+value)
	}
	slices.Sort(rows)
	return rows
}
