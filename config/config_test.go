package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"traitstream/impression"
)

func TestLoadWithoutFile(t *testing.T) {
	t.Setenv("TRAITSTREAM_APP", "growth")
	t.Chdir(t.TempDir())
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	config, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	if config.App != "growth" || config.Sources[0].Topic != "impressions" || config.Set == nil {
		t.Errorf("%+v", config)
	}
	if want := filepath.Join(folder, "traitstream-data"); config.State.Dir != want {
		t.Errorf("state in %s, want %s", config.State.Dir, want)
	}
}

func TestRelativePathsStartAtTheFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "x.yaml")
	if err := os.WriteFile(path, []byte("kafka: {tls: {ca: tls/ca.pem}}\nstate: {dir: ../data}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(folder, "tls", "ca.pem"); config.Kafka.TLS.CA != want {
		t.Errorf("ca is %s, want %s", config.Kafka.TLS.CA, want)
	}
	if want := filepath.Join(filepath.Dir(folder), "data"); config.State.Dir != want {
		t.Errorf("state in %s, want %s", config.State.Dir, want)
	}
}

func TestLoadUnreadable(t *testing.T) {
	folder := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(folder, "none.yaml"): "no such configuration file",
		folder:                             "is a directory",
	} {
		_, err := Load(path)
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 {
			t.Fatalf("%v is not one problem", err)
		}
		if p := problems[0]; p.File != path || p.Line != 0 || !strings.Contains(p.Message, want) {
			t.Errorf("%+v, want %q", p, want)
		}
	}
}

func TestNames(t *testing.T) {
	c := Config{App: "growth"}
	got := []string{c.Group(), c.ChangelogTopic(), c.InboxTopic(), c.ControlTopic(), c.DeadLetterTopic()}
	want := []string{"growth", "growth-last-seen-changelog", "growth-inbox", "growth-control", "growth-dead-letters"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestLongestApp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		app := strings.Repeat("a", rapid.IntRange(1, 260).Draw(t, "length"))
		c := &Config{App: app}
		fits := true
		for _, name := range []string{app + "-traits", c.ChangelogTopic(), c.InboxTopic(), c.ControlTopic(), c.DeadLetterTopic()} {
			fits = fits && topicName(name) == nil
		}
		_, err := Parse("x.yaml", []byte("app: "+app), environment(nil))
		if fits != (err == nil) {
			t.Fatalf("%d characters: names fit: %v, but %v", len(app), fits, err)
		}
	})
}

func TestSecretsAreNotPrinted(t *testing.T) {
	config := parse(t, `kafka: {sasl: {mechanism: PLAIN, user: app, password: hunter2}}`)
	config.Kafka.SASL.Token = "hunter2"
	sasl := config.Kafka.SASL
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{sasl, *sasl, config.Kafka, *config, config} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(handler).Info("x", "sasl", sasl, "value", *sasl, "kafka", config.Kafka, "config", config)
	}
	if err := json.NewEncoder(&out).Encode(config.Kafka); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) {
		t.Errorf("a secret is printed:\n%s", text)
	}
	if text := fmt.Sprint(sasl); !strings.Contains(text, "PLAIN") || !strings.Contains(text, "app") {
		t.Errorf("%s tells too little", text)
	}
}

func TestProblemAsJSON(t *testing.T) {
	got, err := json.Marshal(Problem{File: "x.yaml", Line: 3, Column: 5, Message: "no"})
	if want := `{"file":"x.yaml","line":3,"column":5,"message":"no"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestEveryFormat(t *testing.T) {
	for _, format := range impression.Formats() {
		config := parse(t, fmt.Sprintf("sources: [{topic: a, format: %s}]", format))
		if got := config.Sources[0].Format; got != format {
			t.Errorf("%s is read as %s", format, got)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"brokers", "replication_factor", "sasl", "tls"}
	for text, want := range map[string]string{
		"broker": "brokers", "Brokers": "brokers", "replicationfactor": "replication_factor", "ssl": "sasl",
		"timeout": "", "": "", strings.Repeat("brokers", 100): "",
	} {
		if got := nearest(text, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", text, got, want)
		}
	}
}
