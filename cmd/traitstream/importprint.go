package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"traitstream/impression"
	"traitstream/ingest"
)

// importSummary is what an import prints at its end.
type importSummary struct {
	Topic       string                      `json:"topic"`
	Impressions int64                       `json:"impressions"` // that the broker has taken
	Skipped     int64                       `json:"skipped"`
	DeadLetters int64                       `json:"dead_letters"`
	Reasons     map[impression.Reason]int64 `json:"reasons"`
	Bytes       int64                       `json:"bytes"` // of the files, as they are
	Seconds     float64                     `json:"seconds"`
	PerSecond   float64                     `json:"per_second"` // impressions
}

func newImportSummary(topic string, c ingest.Counts, bytes int64, took time.Duration) importSummary {
	s := importSummary{
		Topic: topic, Impressions: c.Impressions, Skipped: c.Skipped, Reasons: c.Refused,
		Bytes: bytes, Seconds: took.Seconds(),
	}
	for _, n := range c.Refused {
		s.DeadLetters += n
	}
	s.PerSecond = float64(c.Impressions) / max(s.Seconds, 1e-3)
	return s
}

func (m *Main) printImport(s importSummary) error {
	if m.format == "json" {
		return m.printJSON(s)
	}
	t := table{right: map[int]bool{1: true}}
	t.add("impressions", strconv.FormatInt(s.Impressions, 10), "put into "+s.Topic)
	if s.Skipped > 0 {
		t.add("skipped", strconv.FormatInt(s.Skipped, 10), "other calls, or identities that the source skips")
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Reasons)) {
		t.add("dead letters", strconv.FormatInt(s.Reasons[reason], 10), string(reason))
	}
	if err := t.print(m.Stdout); err != nil {
		return err
	}
	took := time.Duration(s.Seconds * float64(time.Second))
	_, err := fmt.Fprintf(m.Stdout, "%s read in %s, %.0f impressions/s\n", humanBytes(s.Bytes), humanDuration(took), s.PerSecond)
	return err
}

// shownRefusals is how many refused elements an import tells one by one.
const shownRefusals = 20

// refusals tells of refused elements, up to a number.
type refusals struct {
	out *progress
	n   int64
}

func (r *refusals) add(file string, line int64, reason impression.Reason, message string) {
	if r.n++; r.n <= shownRefusals {
		r.out.printf("%s:%d: %s: %s\n", printable(file), line, reason, printable(message))
	}
}

func (r *refusals) close(letters string) {
	if more := r.n - shownRefusals; more > 0 {
		r.out.printf("and %d more were refused; all of them are in %s\n", more, letters)
	}
}
