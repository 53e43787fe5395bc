package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"traitstream/verify"
)

// shownDifferences is how many differences are printed as text unless all are
// asked for.
const shownDifferences = 100

// verifyPrinter prints what a verification finds.
type verifyPrinter struct {
	out       *bufio.Writer
	json, all bool
	absent    string // why the local state is not compared; empty: it is
	n         int

	unprocessed int64    // records of the sources
	notes       []string // on where differences may come from
}

// jsonDifference is a difference as JSON. What is null is not known, or is not
// what differs.
type jsonDifference struct {
	Kind       verify.Kind     `json:"kind"`
	Identity   *string         `json:"identity"`
	ID         *string         `json:"id"`
	Trait      *string         `json:"trait"`
	Topic      *string         `json:"topic"`
	Partition  *int32          `json:"partition"`
	Offset     *int64          `json:"offset"`
	Found      json.RawMessage `json:"found"`
	Recomputed json.RawMessage `json:"recomputed"`
	Message    string          `json:"message"`
}

func newJSONDifference(d *verify.Difference) jsonDifference {
	j := jsonDifference{Kind: d.Kind, Message: d.Message, Found: orNull(d.Found), Recomputed: orNull(d.Recomputed)}
	if d.Identity != "" {
		j.Identity, j.ID, j.Trait = &d.Identity, &d.User, &d.Trait
	}
	if d.Topic != "" {
		j.Topic, j.Partition = &d.Topic, &d.Partition
	}
	if d.Offset >= 0 {
		j.Offset = &d.Offset
	}
	return j
}

func orNull(value string) json.RawMessage {
	if !json.Valid([]byte(value)) {
		return json.RawMessage("null")
	}
	return json.RawMessage(value)
}

func (p *verifyPrinter) printJSON(v any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// difference prints a difference.
func (p *verifyPrinter) difference(d verify.Difference) error {
	p.n++
	if p.json {
		return p.printJSON(newJSONDifference(&d))
	}
	if p.n > shownDifferences && !p.all {
		return nil
	}
	whose := ""
	if d.Identity != "" {
		whose = printable(d.User)
		if d.Identity != "user" {
			whose += " (" + d.Identity + ")"
		}
		whose += " " + printable(d.Trait) + ": "
	}
	_, err := fmt.Fprintf(p.out, "%s%s\n", whose, printable(d.Message))
	return err
}

// jsonReport is what a verification comes to, as JSON.
type jsonReport struct {
	Differences  int64                   `json:"differences"`
	Settled      int64                   `json:"settled"`
	Records      int64                   `json:"records"`
	Impressions  int64                   `json:"impressions"`
	Traits       int64                   `json:"traits"`
	Changes      int64                   `json:"changes"`
	InFlux       int64                   `json:"in_flux"`
	Unprocessed  int64                   `json:"unprocessed"` // records of the sources that the group has not come to
	NotSent      map[string]int64        `json:"not_sent"`    // traits that replay jobs have filled in and not sent, by job
	Unverifiable map[verify.Reason]int64 `json:"unverifiable"`
	State        jsonState               `json:"state"`
	Passes       []jsonPass              `json:"passes"`
	Notes        []string                `json:"notes"` // on where differences may come from
}

type jsonState struct {
	Compared *int64 `json:"compared"` // null: it was not
	Newer    int64  `json:"newer"`
	Absent   string `json:"absent,omitempty"` // why it was not compared
}

type jsonPass struct {
	Tasks   []int32     `json:"tasks"`
	Offsets []jsonRange `json:"offsets"`
}

type jsonRange struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
	Until     int64  `json:"until"`
}

func (p *verifyPrinter) jsonReport(r *verify.Report) jsonReport {
	j := jsonReport{
		Differences: r.Differences, Settled: r.Settled, Records: r.Records, Impressions: r.Impressions, Traits: r.Traits,
		Changes: r.Changes, InFlux: r.InFlux, NotSent: r.NotSent, Unverifiable: r.Unverifiable, State: jsonState{Newer: r.StateNewer, Absent: p.absent},
		Unprocessed: p.unprocessed, Notes: append([]string{}, p.notes...),
	}
	if p.absent == "" {
		j.State.Compared = &r.State
	}
	for _, done := range r.Passes {
		pass := jsonPass{Tasks: done.Tasks}
		for _, at := range done.Ranges {
			pass.Offsets = append(pass.Offsets, jsonRange(at))
		}
		j.Passes = append(j.Passes, pass)
	}
	return j
}

// unverifiable says why traits can't be verified, in the words of people.
var unverifiable = map[verify.Reason]string{
	verify.BeforeLog:       "the source's retention has removed what they come from",
	verify.BeforeGroup:     "what they come from lies before the place where the group began",
	verify.DefinitionGone:  "their definition is no longer configured",
	verify.SourceGone:      "their source is no longer configured",
	verify.ExpiredBefore:   "they expired while expire_after was another one, by which they may",
	verify.Refused:         "some of their impressions were refused by their size",
	verify.ReplayCancelled: "a replay that was cancelled may have merged some of their impressions",
}

// report prints what the verification comes to.
func (p *verifyPrinter) report(r *verify.Report) error {
	if p.json {
		return p.printJSON(p.jsonReport(r))
	}
	if more := p.n - shownDifferences; more > 0 && !p.all {
		if _, err := fmt.Fprintf(p.out, "and %d more; --all prints them\n", more); err != nil {
			return err
		}
	}
	t := table{right: map[int]bool{1: true}}
	row := func(name string, n int64, words string) { t.add(name, strconv.FormatInt(n, 10), words) }
	row("impressions", r.Impressions, fmt.Sprintf("read in %d records", r.Records))
	row("traits", r.Traits, fmt.Sprintf("compared, with %d records of the traits topic", r.Changes))
	if p.absent == "" {
		row("local state", r.State, "records compared")
	}
	row("differences", r.Differences, "")
	optional := func(name string, n int64, words string) {
		if n > 0 {
			row(name, n, words)
		}
	}
	optional("not processed", p.unprocessed, "records of the sources, which are not compared")
	optional("in flux", r.InFlux, "traits say one of what they may say by now")
	for _, job := range slices.Sorted(maps.Keys(r.NotSent)) {
		optional("not sent yet", r.NotSent[job], "filled in by replay job "+printable(job)+", emit none")
	}
	optional("settled", r.Settled, "traits differed at the first look alone")
	optional("local state", r.StateNewer, "records have gone on since, and are not compared")
	for _, reason := range slices.Sorted(maps.Keys(r.Unverifiable)) {
		optional("not verifiable", r.Unverifiable[reason], unverifiable[reason])
	}
	if err := t.print(p.out); err != nil {
		return err
	}
	for _, note := range p.notes {
		if _, err := fmt.Fprintf(p.out, "note: %s\n", note); err != nil {
			return err
		}
	}
	return p.offsets(r.Passes)
}

// offsets prints where it was compared, a line for each topic: its partitions,
// each with the offsets from which and up to which; after dots, up to where the
// group was on its way.
func (p *verifyPrinter) offsets(passes []verify.Pass) error {
	for _, pass := range passes {
		tasks := ""
		if len(passes) > 1 {
			tasks = fmt.Sprintf(" for tasks %s", strings.Trim(fmt.Sprint(pass.Tasks), "[]"))
		}
		for topic, ranges := range byTopic(pass.Ranges) {
			line := fmt.Sprintf("compared%s at %s", tasks, topic)
			for _, at := range ranges {
				line += fmt.Sprintf(" %d@%d-%d", at.Partition, at.From, at.To)
				if at.Until > at.To {
					line += fmt.Sprintf("..%d", at.Until)
				}
			}
			if _, err := fmt.Fprintln(p.out, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// byTopic yields ranges, which are sorted, by their topic.
func byTopic(ranges []verify.Range) iter.Seq2[string, []verify.Range] {
	return func(yield func(string, []verify.Range) bool) {
		for len(ranges) > 0 {
			n := slices.IndexFunc(ranges, func(r verify.Range) bool { return r.Topic != ranges[0].Topic })
			if n < 0 {
				n = len(ranges)
			}
			if !yield(ranges[0].Topic, ranges[:n]) {
				return
			}
			ranges = ranges[n:]
		}
	}
}
