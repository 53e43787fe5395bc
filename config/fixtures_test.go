package config

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the fixtures give as what they should give")

// variables is the environment of the fixtures.
func variables(name string) (string, bool) {
	value, ok := map[string]string{
		"PASSWORD":   "s3cret",
		"KEY_FOLDER": "keys",
		"PARTITIONS": "12",
	}[name]
	return value, ok
}

// golden compares what a fixture gave with the file beside it.
func golden(t *testing.T, fixture, got string) {
	t.Helper()
	path := strings.TrimSuffix(fixture, ".yaml") + ".txt"
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s gives\n%s\nwant\n%s", fixture, got, want)
	}
}

func fixtures(t *testing.T, folder string, test func(t *testing.T, path string, data []byte)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures in %s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			test(t, path, data)
		})
	}
}

func TestBadFixtures(t *testing.T) {
	fixtures(t, "bad", func(t *testing.T, path string, data []byte) {
		config, err := Parse(filepath.Base(path), data, variables)
		if config != nil || err == nil {
			t.Fatalf("it was accepted: %+v", config)
		}
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatalf("%T is no Problems: %v", err, err)
		}
		if text := err.Error(); strings.Contains(text, "hunter2") || strings.Contains(text, "s3cret") {
			t.Errorf("a secret is shown: %s", text)
		}
		golden(t, path, err.Error()+"\n")
	})
}

func TestGoodFixtures(t *testing.T) {
	fixtures(t, "good", func(t *testing.T, path string, data []byte) {
		config, err := Parse("/etc/traitstream/"+filepath.Base(path), data, variables)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, path, dump(t, config))
	})
}

// dump shows a configuration without the inner life of conditions, which
// TestConditions looks at.
func dump(t *testing.T, config *Config) string {
	t.Helper()
	var out strings.Builder
	show := func(name string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %s\n", name, text)
	}
	show("app", config.App)
	show("kafka", config.Kafka)
	if sasl := config.Kafka.SASL; sasl != nil {
		show("secrets", []string{sasl.Password, sasl.Token})
	}
	for _, source := range config.Sources {
		show("source", source)
	}
	for _, d := range config.Traits {
		show("trait", []any{d.Name.String(), d.Description, d.Event, d.Property, d.NotServed.String(), len(d.Where), len(d.Any)})
	}
	show("output", config.Output)
	if registry := config.Registry; config.Output.Format == Avro {
		show("registry", registry)
		show("secrets", []string{registry.Password, registry.Token})
	}
	show("state", config.State)
	show("processor", config.Processor)
	show("http", config.HTTP)
	return out.String()
}
