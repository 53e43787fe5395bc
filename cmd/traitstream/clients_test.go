package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
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
	for _, form := range []struct {
		name, config string
		subscribers  []subscriber
	}{
		{"json", "", []subscriber{
			{"kcat", kcatTable, true},
			{"confluent-kafka", pythonTable(dir, "json"), true},
			{"kafka-console-consumer", consoleTable(dir), true},
			{"GlobalKTable", streamsTable(dir), false},
		}},
	} {
		t.Run(form.name, func(t *testing.T) {
			w := newRealWorld(t, brokers, "traits: [{name: \"{split}\", not_served: clear}]\n"+form.config)
			succeed(t, "import", "-c", w.config, "--lines", write(t, t.TempDir(), "in.jsonl", newInput(3000).values))
			succeed(t, "run", "-c", w.config, "--until-caught-up")
			want, records, removals := tapTable(t, succeed(t, "tap", "-c", w.config, "--until-end", "--format", "json"))
			if len(want) < 500 || removals < 50 {
				t.Fatalf("tap tells of %d traits and %d removals only", len(want), removals)
			}
			for _, s := range form.subscribers {
				t.Run(s.name, func(t *testing.T) {
					w.t = t
					got, n := readTable(t, s.read(w, w.app+"-traits", records))
					if diff := difference(got, want); diff != "" {
						t.Error(diff)
					}
					if s.removes && n != removals {
						t.Errorf("it tells of %d removals, tap of %d", n, removals)
					}
				})
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
	return w.kcat("", "-C", "-t", topic, "-e", "-q", "-Z", "-X", "isolation.level=read_committed", "-f", `%k\t%s\n`)
}

func pythonTable(dir string, form ...string) func(*realWorld, string, int) string {
	return func(w *realWorld, topic string, _ int) string {
		return w.client(filepath.Join(dir, "python", "bin", "python"),
			append([]string{filepath.Join("testdata", "clients", "table.py"), w.brokers, topic}, form...)...)
	}
}

func consoleTable(dir string) func(*realWorld, string, int) string {
	return func(w *realWorld, topic string, records int) string {
		return w.client("java", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(dir, "java", "libs", "*"), "org.apache.kafka.tools.consumer.ConsoleConsumer",
			"--bootstrap-server", w.brokers, "--topic", topic, "--from-beginning", "--isolation-level", "read_committed",
			"--max-messages", strconv.Itoa(records), "--timeout-ms", "60000",
			"--formatter-property", "print.key=true", "--formatter-property", "null.literal=NULL")
	}
}

func streamsTable(dir string) func(*realWorld, string, int) string {
	return func(w *realWorld, topic string, _ int) string {
		path := filepath.Join(dir, "java", "classes") + string(os.PathListSeparator) + filepath.Join(dir, "java", "libs", "*")
		return w.client("java", "-XX:TieredStopAtLevel=1", "-cp", path, "clients.Table", w.brokers, topic, w.t.TempDir())
	}
}

// tapTable returns the table that tap's records make, a sorted line of key and
// value for each row, and how many records and removals there were.
func tapTable(t *testing.T, out string) (rows []string, records, removals int) {
	t.Helper()
	table := map[string]string{}
	for line := range strings.Lines(out) {
		var r struct{ Key, Value json.RawMessage }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		records++
		key := canonical(t, string(r.Key))
		if string(r.Value) == "null" {
			removals++
			delete(table, key)
			continue
		}
		table[key] = canonical(t, string(r.Value))
	}
	return sorted(table), records, removals
}

// readTable returns the same of what a client prints: lines of key, tab and value
// as they come, NULL for a removal, or the rows of its table and then how many
// removals it has met.
func readTable(t *testing.T, out string) (rows []string, removals int) {
	t.Helper()
	table := map[string]string{}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if key == "removals" {
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			return sorted(table), n
		}
		if key = canonical(t, key); value == "NULL" {
			removals++
			delete(table, key)
			continue
		}
		table[key] = canonical(t, value)
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
