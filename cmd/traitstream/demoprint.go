package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/ingest"
	"traitstream/schemas"
)

// demoPrint prints what the demo made.
func (m *Main) demoPrint(ctx context.Context, a *app, imported ingest.Counts, o demoOptions) error {
	records, err := latest(ctx, a.conn.client, a.topics.Traits.Name)
	if err != nil {
		return err
	}
	if err := m.printRefused(ctx, a); err != nil {
		return err
	}
	if m.format == "json" {
		for _, r := range records {
			if _, err := fmt.Fprintf(m.Stdout, "%s\n", r.Value); err != nil {
				return err
			}
		}
		return nil
	}
	changes := make([]schemas.Change, len(records))
	for i, r := range records {
		if changes[i], err = schemas.DecodeValue(r.Value); err != nil {
			return fmt.Errorf("reading %s: %w", r.Topic, err)
		}
	}
	if err := m.printUsers(changes, int(o.users)); err != nil {
		return err
	}
	if err := m.printOutcomes(a.registry, imported); err != nil {
		return err
	}
	return m.printValues(changes)
}

// printUsers prints the traits of the first users; 0 stands for all.
func (m *Main) printUsers(changes []schemas.Change, limit int) error {
	t := table{}
	t.add("USER", "TRAIT", "VALUE", "SEEN AT")
	users, left, last := 0, 0, ""
	for _, c := range changes {
		user := printable(string(c.Key.User))
		if c.Key.Identity.String() != "user" {
			user += " (" + c.Key.Identity.String() + ")"
		}
		shown := user
		if user == last {
			shown = ""
		} else {
			users++
		}
		last = user
		if limit > 0 && users > limit {
			if shown != "" {
				left++
			}
			continue
		}
		t.add(shown, printable(string(c.Key.Trait)), printable(plain(c.Emission.Value)),
			time.UnixMilli(c.Emission.SeenAt).UTC().Format("2006-01-02 15:04:05.000"))
	}
	if err := t.print(m.Stdout); err != nil {
		return err
	}
	if left > 0 {
		if _, err := fmt.Fprintf(m.Stdout, "and %d more users (--users all)\n", left); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(m.Stdout)
	return err
}

// printOutcomes prints what became of the elements: what the import refused or
// skipped never was in the topic.
func (m *Main) printOutcomes(registry *prometheus.Registry, imported ingest.Counts) error {
	counts, err := outcomes(registry)
	if err != nil {
		return err
	}
	counts["skipped"] += float64(imported.Skipped)
	for _, n := range imported.Refused {
		counts["dead_letter"] += float64(n)
	}
	t := table{right: map[int]bool{1: true}}
	t.add("OUTCOME", "IMPRESSIONS")
	for _, name := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	}) {
		if counts[name] > 0 {
			t.add(name, strconv.Itoa(int(counts[name])))
		}
	}
	if err := t.print(m.Stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintln(m.Stdout)
	return err
}

// outcomes reads the impressions by result from the metrics.
func outcomes(registry *prometheus.Registry) (map[string]float64, error) {
	families, err := registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("reading the metrics: %w", err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "traitstream_impressions_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "result" {
					counts[label.GetValue()] += metric.GetCounter().GetValue()
				}
			}
		}
	}
	return counts, nil
}

// printValues prints how many users have each value of each flag.
func (m *Main) printValues(changes []schemas.Change) error {
	type pair struct{ flag, value string }
	counts := map[pair]int{}
	for _, c := range changes {
		counts[pair{string(c.Emission.Facts.Flag), plain(c.Emission.Value)}]++
	}
	t := table{right: map[int]bool{2: true}}
	t.add("FLAG", "VALUE", "USERS")
	for _, p := range slices.SortedFunc(maps.Keys(counts), func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.flag, b.flag), cmp.Compare(counts[b], counts[a]), cmp.Compare(a.value, b.value))
	}) {
		t.add(printable(p.flag), printable(p.value), strconv.Itoa(counts[p]))
	}
	return t.print(m.Stdout)
}

// plain returns a value for people: a string without its quotes.
func plain(value []byte) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// refusal is a dead letter with the place that its import noted.
type refusal struct {
	file, reason string
	line         int
}

// printRefused prints each refused element as file:line: reason.
func (m *Main) printRefused(ctx context.Context, a *app) error {
	var refused []refusal
	err := readTopic(ctx, a.conn.client, a.topics.DeadLetters.Name, startPoint{text: fromStart}, func(r *kgo.Record) error {
		refused = append(refused, refusalOf(r))
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(refused, func(a, b refusal) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	for _, r := range refused {
		if _, err := fmt.Fprintf(m.Stderr, "%s:%d: %s\n", r.file, r.line, r.reason); err != nil {
			return err
		}
	}
	return nil
}

// refusalOf reads a dead letter's headers: those of the import that refused it,
// or those that the import left on the record that was refused later.
func refusalOf(r *kgo.Record) refusal {
	var out refusal
	for _, h := range r.Headers {
		switch h.Key {
		case ingest.HeaderFile, schemas.HeaderErrorFile:
			out.file = string(h.Value)
		case ingest.HeaderLine, schemas.HeaderErrorLine:
			out.line, _ = strconv.Atoi(string(h.Value)) // written as a number; 0 says unknown
		case schemas.HeaderErrorReason:
			out.reason = string(h.Value)
		}
	}
	if out.file == "-" {
		out.file = sampleName
	}
	return out
}
