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
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// Where TRAITSTREAM_TEST_REGISTRY says that there are clients: what Confluent's
// Python client writes, with the schema's GUID in a header, is read by that. The
// registry is a stand-in, for the one of that variable has no GUIDs.
func TestRealClientsWriteGUIDs(t *testing.T) {
	if os.Getenv("TRAITSTREAM_TEST_REGISTRY") == "" {
		t.Skip("set TRAITSTREAM_TEST_REGISTRY=/path/to/registry.sh to test with clients of others")
	}
	dir := clients(t)
	reg := newFakeRegistry(t, 3)
	const schema = `{"type":"record","name":"Impression","namespace":"com.acme.my-app","fields":[{"name":"key","type":"string"},{"name":"split","type":"string"},
		{"name":"treatment","type":["null","string"]},{"name":"time","type":"long"}]}`
	if _, _, err := reg.RegisterSchema("guids-value", sr.Schema{Schema: schema, Type: sr.TypeAvro}); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, fmt.Sprintf("http: {listen: \"\"}\nstate: {dir: data}\nsources: [{topic: guids, format: avro}]\nschema_registry: {url: %q}\n", reg.URL()))
	w.create("guids", 2)

	var lines strings.Builder
	want := map[string]string{}
	for i := range 20 {
		user := fmt.Sprint("user-", i, "-ü")
		fmt.Fprintf(&lines, `{"key":%q,"split":"f","treatment":"v%d","time":%d}`+"\n", user, i, 1772446530123+i)
		want[user] = fmt.Sprint("v", i)
	}
	w.runPython(dir, lines.String(), "produce.py", w.brokers[0], "guids", reg.URL())
	err := readTopic(w.limit(), w.client, "guids", startPoint{text: fromStart}, func(r *kgo.Record) error {
		if id := headerOf(r, "__value_schema_id"); len(id) != 17 || id[0] != 1 || r.Value[0] == 0 {
			t.Errorf("the client does not tell a GUID in a header: %q, %q", id, r.Value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	succeed(t, "run", "-c", w.config, "--until-caught-up")
	got := map[string]string{}
	for _, r := range w.tapped() {
		var v struct{ ID, Value string }
		if err := json.Unmarshal(r.Value, &v); err != nil {
			t.Fatal(err)
		}
		got[v.ID] = v.Value
	}
	if !maps.Equal(got, want) {
		t.Errorf("the traits are %v, want %v", got, want)
	}
}

// runPython runs a program of testdata/clients.
func (w world) runPython(dir, stdin, program string, args ...string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, python(dir), append([]string{filepath.Join("testdata", "clients", program)}, args...)...)
	var errs bytes.Buffer
	c.Stdin, c.Stderr = strings.NewReader(stdin), &errs
	if err := c.Run(); err != nil {
		w.Fatalf("%s: %v: %s", program, err, errs.String())
	}
}
