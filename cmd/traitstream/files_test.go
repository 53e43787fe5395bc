package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
)

// The bundled sample's output, looked over by hand.
func TestDemoSample(t *testing.T) {
	status, stdout, stderr := program(t, "", "demo")
	if *rewrite {
		if err := os.WriteFile("testdata/demo.txt", []byte(stdout), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/demo.txt")
	if err != nil {
		t.Fatal(err)
	}
	if status != exitDone || stdout != string(want) || stderr != "sample.jsonl:15: missing_treatment\n" {
		t.Errorf("status %d, errors %q, output\n%s\nwant\n%s", status, stderr, stdout, want)
	}
}

func TestDemoJSON(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "in.jsonl", segmentEvent("b", "f", "on", 1)+segmentEvent("a", "f", "on", 1)+segmentEvent("a", "f", "off", 2))
	lines := strings.Split(strings.TrimSpace(succeed(t, "demo", "--format", "json", file)), "\n")
	var got []string
	for _, line := range lines {
		var v struct{ ID, Trait, Value, Previous string }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		got = append(got, v.ID+" "+v.Trait+" "+v.Value+" "+v.Previous)
	}
	if want := []string{"a f off on", "b f on "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The demo uses the traits and the first source's settings of a configuration
// and nothing else.
func TestDemoConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "in.json", `{"key":"u","split":"f","treatment":"on","time":1772446530123}`)
	cfg := write(t, dir, "c.yaml", "kafka: {brokers: [nowhere:1]}\nsources: [{topic: other, environment: Prod, identity: anonymous, from: latest}]\n"+
		"traits: [{name: \"{environmentName}_{split}\"}]\nstate: {dir: data}\n")
	got := succeed(t, "demo", "-c", cfg, "--format", "json", file)
	if !strings.Contains(got, `"identity":"anonymous","id":"u","trait":"Prod_f","value":"on"`) {
		t.Errorf("got %s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("the demo has left a state folder")
	}
}

// The same file in two fresh topics, with the same record time.
func TestImportTwice(t *testing.T) {
	dir := t.TempDir()
	var dumps []string
	for range 2 {
		broker, err := kafka.StartEmbedded(kafka.EmbeddedOptions{})
		if err != nil {
			t.Fatal(err)
		}
		cfg := write(t, dir, "c.yaml", fmt.Sprintf("kafka: {brokers: [%q]}", broker.Brokers()[0]))
		status, stdout, stderr := program(t, "", "import", "-c", cfg, "--record-time", "2026-03-02T10:20:00Z", "--lines",
			"--format", "json", "../../impression/testdata/segment-track.jsonl", "../../impression/testdata/bad.jsonl")
		if status != exitDone || !strings.Contains(stderr, "bad.jsonl:1: malformed") {
			t.Fatalf("status %d: %s", status, stderr)
		}
		var counts struct{ Impressions, Skipped, DeadLetters int }
		if err := json.Unmarshal([]byte(strings.Replace(stdout, "dead_letters", "DeadLetters", 1)), &counts); err != nil {
			t.Fatal(err)
		}
		if counts.Impressions != 27+19 || counts.Skipped != 2 || counts.DeadLetters != 60 {
			t.Errorf("the import says %s", stdout)
		}
		dump := ""
		for _, topic := range []string{"impressions", "traitstream-dead-letters"} {
			dump += succeed(t, "tap", "-c", cfg, "--topic", topic, "--until-end", "--format", "json")
		}
		dumps = append(dumps, dump)
		if status, _, _ := program(t, "{", "import", "-c", cfg, "--strict", "-"); status != exitFailed {
			t.Errorf("a strict import of junk ended with status %d", status)
		}
		if err := broker.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if dumps[0] != dumps[1] {
		t.Error("two imports of the same files differ")
	}
	if n := strings.Count(dumps[0], "\n"); n != 27+19+60 {
		t.Errorf("%d records, want %d", n, 27+19+60)
	}
}

func TestRecordJSON(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{`{"a": 1}`, ``, `"key":{"a":1},"value":""`},
		{`plain`, "null", `"key":"plain","value":null`},
		{"\xff", "a\"b<\n", `"key":{"base64":"/w=="},"value":"a\"b<\n"`},
		{"\"\xff\"", "{\"a\":\"\xfe\"}", `"key":{"base64":"Iv8i"},"value":{"base64":"eyJhIjoi/iJ9"}`},
		{`"\ud800"`, "{}", `"key":"\"\\ud800\"","value":{}`},
		{"1042", `{"a":"\u0041","a":2}`, `"key":1042,"value":{"a":"\u0041","a":2}`},
	} {
		r := &kgo.Record{Topic: "t", Key: []byte(c.key), Value: []byte(c.value),
			Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("123")}, {Key: "n"}}}
		got := string(recordJSON(r, r.Timestamp.UTC()))
		if !strings.Contains(got, c.want) || !json.Valid([]byte(got)) || strings.Count(got, "\n") != 1 {
			t.Errorf("got %s, want %s", got, c.want)
		}
		if !strings.HasSuffix(got, `"headers":[{"key":"h","value":"123"},{"key":"n","value":null}]}`+"\n") {
			t.Errorf("headers are %s", got)
		}
	}
	if got := string(recordJSON(&kgo.Record{Topic: "t"}, (&kgo.Record{}).Timestamp)); !strings.Contains(got, `"key":null,"value":null`) {
		t.Errorf("got %s", got)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"größe": "größe", "a\x1b[2J": `a\x1b[2J`, "\x00": `\x00`, `a"b`: `a"b`} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) is %s, want %s", in, got, want)
		}
	}
}
