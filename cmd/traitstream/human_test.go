package main

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// People are told of times in one form, which the options take too.
func TestMoment(t *testing.T) {
	at := time.Date(2026, 3, 2, 12, 15, 30, 123_000_000, time.FixedZone("CET", 3600))
	if got := moment(at); got != "2026-03-02 11:15:30 UTC" {
		t.Errorf("got %s", got)
	}
	if got := exactMoment(at); got != "2026-03-02 11:15:30.123 UTC" {
		t.Errorf("got %s", got)
	}
	for text, want := range map[string]time.Time{
		moment(at): at.Truncate(time.Second), exactMoment(at): at, "2026-03-02T11:15:30.123Z": at, "1772450130123": at,
		"2026-03-02": time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := parseMoment(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
		for _, flag := range []interface{ Set(string) error }{&since{}, &startPoint{}, &recordTime{}} {
			if err := flag.Set(text); err != nil {
				t.Errorf("%T, %s: %v", flag, text, err)
			}
		}
	}
	if _, err := parseMoment("2026-03-02 11:15:30"); err == nil || !strings.Contains(err.Error(), "RFC 3339") {
		t.Errorf("without a zone: %v", err)
	}
}

// A timeout is written as in the configuration.
func TestTimeout(t *testing.T) {
	for text, want := range map[string]string{"90s": "90s", "1h30m": "90m", "2d": "2d", "250ms": "250ms", "0": ""} {
		var d timeout
		if err := d.Set(text); err != nil || d.String() != want {
			t.Errorf("%s: %s, %v; want %s", text, d.String(), err, want)
		}
	}
}

// timePattern finds times, in whatever form.
var timePattern = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z| UTC)?`)

// What is printed as text holds no time in another form; demo, dlq list, preview and tap, whose tables
// have the milliseconds of many records, leave out that it is UTC.
func TestTimesArePrintedAlike(t *testing.T) {
	w, r := newReplayed(t)
	w.done(w.begun(), r)
	for _, line := range []string{
		"definitions", "definitions list", "definitions history", "replay list", "get u1", "explain u1 f",
		"replay start --dry-run", "status",
	} {
		out := succeed(t, append(strings.Fields(line), "-c", w.config)...)
		for _, at := range timePattern.FindAllString(out, -1) {
			if !strings.HasSuffix(at, " UTC") {
				t.Errorf("%s prints %s", line, at)
			}
		}
		if line != "status" && !strings.Contains(out, " UTC") {
			t.Errorf("%s prints no time: %s", line, out)
		}
	}
	r.stop()
}
