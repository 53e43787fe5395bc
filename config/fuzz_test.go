package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzParse checks that no input makes Parse panic, that every problem has a
// place in the file, and that what is accepted can be worked with.
func FuzzParse(f *testing.F) {
	for _, folder := range []string{"good", "bad"} {
		paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		config, err := Parse("x.yaml", data, variables)
		if err != nil {
			checkProblems(t, data, err)
			return
		}
		if config.Set == nil || len(config.Traits) == 0 || len(config.Sources) == 0 || len(config.Kafka.Brokers) == 0 {
			t.Errorf("incomplete: %+v", config)
		}
		for _, topic := range []string{config.Output.Topic, config.ChangelogTopic(), config.Sources[0].Topic} {
			if err := topicName(topic); err != nil {
				t.Error(err)
			}
		}
		if !filepath.IsAbs(config.State.Dir) {
			t.Errorf("state in %q", config.State.Dir)
		}
	})
}

func checkProblems(t *testing.T, data []byte, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("%v is no Problems", err)
	}
	// YAML ends lines at these, too.
	lines := 1
	for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
		lines += bytes.Count(data, []byte(end))
	}
	for _, p := range problems {
		if p.File != "x.yaml" || p.Line < 1 || p.Line > lines+1 || p.Column < 1 || p.Message == "" {
			t.Errorf("%+v in %d lines", p, lines)
		}
	}
}
