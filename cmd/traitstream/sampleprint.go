package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"traitstream/impression"
)

// sampleResult is what validate says of a source; shares are from 0 to 1.
type sampleResult struct {
	Source    string                      `json:"source"`
	Sampled   int                         `json:"sampled"`   // impressions
	Forwarded float64                     `json:"forwarded"` // share of them that another task merges
	NoMatch   float64                     `json:"no_match"`  // share of them that no definition wants
	Skipped   int                         `json:"skipped"`   // elements that are no impressions
	Refused   int64                       `json:"refused"`   // elements that would be dead letters
	Reasons   map[impression.Reason]int64 `json:"reasons"`
}

func newSampleResult(s sourceSample) sampleResult {
	r := sampleResult{Source: s.topic, Sampled: s.impressions, Skipped: s.skipped, Reasons: s.refused}
	for _, n := range s.refused {
		r.Refused += n
	}
	if s.impressions > 0 {
		r.Forwarded = float64(s.forwarded) / float64(s.impressions)
		r.NoMatch = float64(s.unwanted) / float64(s.impressions)
	}
	return r
}

func (m *Main) printSamples(samples []sourceSample) error {
	t := table{right: map[int]bool{1: true, 2: true, 3: true, 4: true, 5: true}}
	t.add("SOURCE", "SAMPLED", "FORWARDED", "NO MATCH", "SKIPPED", "REFUSED", "")
	for _, s := range samples {
		r := newSampleResult(s)
		if m.format == "json" {
			if err := m.printJSON(r); err != nil {
				return err
			}
			continue
		}
		t.add(r.Source, strconv.Itoa(r.Sampled), percent(r.Forwarded), percent(r.NoMatch),
			strconv.Itoa(r.Skipped), strconv.FormatInt(r.Refused, 10), reasons(r.Reasons))
	}
	if m.format == "json" {
		return nil
	}
	return t.print(m.Stdout)
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", share*100) }

// reasons lists what was refused and why, in the order of the words.
func reasons(counts map[impression.Reason]int64) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", reason, counts[reason]))
	}
	return strings.Join(parts, ", ")
}
