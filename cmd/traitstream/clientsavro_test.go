package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"traitstream/schemas"
)

// Against the registry of TRAITSTREAM_TEST_REGISTRY: whoever reads the traits topic
// in Avro, with a deserializer that knows the registry alone, comes to the table
// that tap tells of, and so does the program of the page for subscribers.
func TestRealClientsReadAvro(t *testing.T) {
	script := os.Getenv("TRAITSTREAM_TEST_REGISTRY")
	if script == "" {
		t.Skip("set TRAITSTREAM_TEST_REGISTRY=/path/to/registry.sh to test against a real schema registry")
	}
	dir := clients(t)
	reg := newRealRegistry(t, script)
	w := newRealWorld(t, newWorld(t, "").brokers[0], clearing,
		fmt.Sprintf("output: {format: avro}\nschema_registry: {url: %q}\n", reg.url))
	w.fill()
	w.compareTables(subscriber{"confluent-kafka", pythonTable(dir, "avro", reg.url), true})
	t.Run("fastavro reads the schemas", func(t *testing.T) {
		here := *w
		here.t = t
		out := here.client(python(dir), filepath.Join("testdata", "clients", "schema.py"), reg.url, w.app+"-traits-key", w.app+"-traits-value")
		want := canonical(t, withFullNames(schemas.KeyAvro)) + "\n" + canonical(t, withFullNames(schemas.ValueAvro)) + "\n"
		var got strings.Builder
		for line := range strings.Lines(out) {
			fmt.Fprintln(&got, canonical(t, line))
		}
		if got.String() != want {
			t.Errorf("it has\n%s\nwant\n%s", got.String(), want)
		}
	})
	t.Run("the page's program", func(t *testing.T) {
		here := *w
		here.t = t
		want, records := here.values()
		got := map[string]string{}
		for _, line := range here.follow(records, python(dir), "-u", write(t, t.TempDir(), "page.py", here.pageProgram(reg.url))) {
			if parts := strings.Fields(line); len(parts) == 4 && parts[0] == "set" {
				got[parts[1]+" "+parts[2]] = parts[3]
			} else if len(parts) == 3 && parts[0] == "remove" {
				delete(got, parts[1]+" "+parts[2])
			} else {
				t.Fatalf("what is %q?", line)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("it has %d traits, want %d:\n%v\nand\n%v", len(got), len(want), got, want)
		}
	})
}

// withFullNames is a schema as it stands in its file, with names as readers resolve
// them.
func withFullNames(schema string) string {
	return strings.NewReplacer(`"namespace": "traitstream",`, "",
		`"TraitKey"`, `"traitstream.TraitKey"`, `"TraitChange"`, `"traitstream.TraitChange"`, `"Source"`, `"traitstream.Source"`).Replace(schema)
}

// values returns the values of traits by user and trait, as tap tells them, and how
// many records the topic holds.
func (w *realWorld) values() (table map[string]string, records int) {
	w.t.Helper()
	table = map[string]string{}
	for line := range strings.Lines(succeed(w.t, "tap", "-c", w.config, "--until-end", "--format", "json")) {
		var r struct {
			Key   struct{ ID, Trait string }
			Value *struct{ Value string }
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			w.t.Fatalf("%s: %v", line, err)
		}
		records++
		key := r.Key.ID + " " + r.Key.Trait
		if delete(table, key); r.Value != nil {
			table[key] = r.Value.Value
		}
	}
	return table, records
}

// pageProgram is the program that the page for subscribers shows, with the
// addresses of this world.
func (w *realWorld) pageProgram(registry string) string {
	w.t.Helper()
	_, program, _ := strings.Cut(readFile(w.t, "../../docs/subscribers.md"), "```python\n")
	program, _, _ = strings.Cut(program, "```")
	for shown, here := range map[string]string{
		`"http://127.0.0.1:8081"`: registry, `"127.0.0.1:9092"`: w.brokers, `"traitstream-traits"`: w.app + "-traits",
	} {
		if strings.Count(program, shown) != 1 {
			w.t.Fatalf("the page's program does not name %s once:\n%s", shown, program)
		}
		program = strings.Replace(program, shown, fmt.Sprintf("%q", here), 1)
	}
	return program
}

// follow runs a program that has no end until it has printed so many lines.
func (w *realWorld) follow(lines int, program string, args ...string) (printed []string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	var errs output
	c.Stderr = &errs
	out, err := c.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	for s := bufio.NewScanner(out); len(printed) < lines && s.Scan(); {
		printed = append(printed, s.Text())
	}
	cancel()
	_ = c.Wait() // it was killed
	if len(printed) < lines {
		w.t.Fatalf("%s has printed %d lines, want %d: %s", program, len(printed), lines, errs.String())
	}
	return printed
}
