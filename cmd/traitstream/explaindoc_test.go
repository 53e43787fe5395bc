package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The page on looking users up shows what its commands print, and they run in its
// order: those that read a folder when the process has stopped.
func TestExplainPage(t *testing.T) {
	page := readFile(t, "../../docs/explain.md")
	s := newStage(t, "output: {partitions: 4}\n")
	files, err := filepath.Glob("sample/*")
	if err != nil || len(files) == 0 {
		t.Fatal("there is no sample", err)
	}
	r := s.run(t)
	succeed(t, append([]string{"import", "-c", s.config, "--record-time", "2026-03-02T12:00:00Z"}, files...)...)
	r.until("all is merged", func() bool {
		return strings.Contains(succeed(t, "status", "-c", s.config, "--dead-letters", "none"), "all is processed")
	})
	blocks := regexp.MustCompile("(?ms)^```(sh|text)\n(.*?)^```$").FindAllStringSubmatch(page, -1)
	ran := 0
	for i, b := range blocks {
		if b[1] != "sh" {
			continue
		}
		var got string
		for line := range strings.Lines(b[2]) {
			args := strings.Fields(line)
			if strings.HasSuffix(line, "--at-rest\n") {
				if status := r.stop(); status != exitDone {
					t.Fatalf("status %d: %s", status, r.stderr)
				}
			}
			got = succeed(t, append(args[1:], "-c", s.config)...)
			ran++
		}
		if i+1 < len(blocks) && blocks[i+1][1] == "text" && !matches(blocks[i+1][2], got) {
			t.Errorf("%s prints\n%s", b[2], got)
		}
	}
	if ran != 4 {
		t.Errorf("ran %d commands", ran)
	}
	for _, field := range fieldsOf(t, succeed(t, "get", "-c", s.config, "--at-rest", "--format", "json", "user-1042")) {
		if !strings.Contains(page, fmt.Sprintf("`%s`", field)) {
			t.Errorf("the page does not tell of %s", field)
		}
	}
}

// matches compares a text with a sample in which … stands for a part of a line.
func matches(sample, text string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(sample), "…", ".*")
	return regexp.MustCompile("^" + pattern + "$").MatchString(text)
}

func fieldsOf(t *testing.T, lines string) (names []string) {
	t.Helper()
	line, _, _ := strings.Cut(lines, "\n")
	for name := range object(t, line) {
		names = append(names, name)
	}
	return names
}
