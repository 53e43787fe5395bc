package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"traitstream/processor"
	"traitstream/schemas"
)

// planReport is what replay start is about to do.
type planReport struct {
	jobReport
	DryRun bool          `json:"dry_run"`
	Since  *time.Time    `json:"since"` // of the first record that is read
	Ranges []rangeReport `json:"ranges"`
}

// rangeReport is a part of a source partition.
type rangeReport struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`  // exclusive
	Cut       bool   `json:"cut"` // retention has removed some of what was asked for
}

// shownRanges is how many partitions are told one by one.
const shownRanges = 24

// printReplayPlan tells what a job will do.
func (m *Main) printReplayPlan(a *jobsApp, p *processor.Plan, dryRun bool) error {
	j := &p.Job
	r := planReport{
		jobReport: newJobReport(&processor.JobStatus{Job: *j, Tasks: a.topics.Tasks}), DryRun: dryRun, Ranges: rangesOf(j, p.Cut),
	}
	if !p.Since.IsZero() {
		r.Since = timeOrNone(p.Since.UnixMilli())
	}
	if m.format == "json" {
		return m.printJSON(r)
	}
	if err := m.printRanges(r.Ranges); err != nil {
		return err
	}
	rows := table{whole: true}
	if j.Emit == schemas.EmitAll {
		rows.add("reads", "no source: what is sent is in the state of "+plural(int(a.topics.Tasks), "task", "tasks"))
	} else {
		rows.add("reads", fmt.Sprintf("%s, the first of %s", plural(int(r.Total), "offset", "offsets"), when(p.Since.UnixMilli())))
	}
	for _, row := range aboutJob(j) {
		rows.add(row...)
	}
	return rows.print(m.Stdout)
}

// aboutJob returns what a job is to do, but for what it reads, as rows.
func aboutJob(j *schemas.Job) [][]string {
	rows := [][]string{{"sends", whatIsSent(j.Emit)}, {"for", whom(j)}}
	if j.Emit == schemas.EmitAll && (j.From > 0 || j.To > 0) {
		rows = append(rows, []string{"seen", between(j.From, j.To)})
	}
	rate := "as fast as live impressions leave room"
	if j.Rate > 0 {
		rate = fmt.Sprintf("%d records/s at most", j.Rate)
	}
	rows = append(rows, []string{"rate", rate})
	if j.Reason != "" {
		rows = append(rows, []string{"reason", printable(j.Reason)})
	}
	return rows
}

// between tells of two times in ms, of which 0 is none.
func between(from, to int64) string {
	switch {
	case to == 0:
		return "from " + when(from) + " on"
	case from == 0:
		return "before " + when(to)
	}
	return "from " + when(from) + ", before " + when(to)
}

// rangesOf returns what a job reads, and what of that is cut off; of a partition that
// is all.
func rangesOf(j *schemas.Job, cut []processor.PartitionOffset) []rangeReport {
	all := []rangeReport{}
	for _, of := range j.Ranges {
		all = append(all, rangeReport{of.Topic, of.Partition, of.From, of.To, false})
	}
	for _, c := range cut {
		i := slices.IndexFunc(all, func(of rangeReport) bool { return of.Topic == c.Topic && of.Partition == c.Partition })
		if i < 0 {
			all = append(all, rangeReport{c.Topic, c.Partition, c.Offset, c.Offset, true})
		} else {
			all[i].Cut = true
		}
	}
	return all
}

// printRanges prints a table of partitions, if there are any.
func (m *Main) printRanges(all []rangeReport) error {
	if len(all) == 0 {
		return nil
	}
	t := table{right: map[int]bool{1: true, 2: true, 3: true, 4: true}}
	t.add("TOPIC", "PARTITION", "FROM", "TO", "OFFSETS", "")
	for i, of := range all {
		if i == shownRanges {
			t.add(fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		note := ""
		if of.Cut {
			note = "its log begins here: what came before is gone"
		}
		t.add(of.Topic, strconv.Itoa(int(of.Partition)), strconv.FormatInt(of.From, 10), strconv.FormatInt(of.To, 10),
			strconv.FormatInt(of.To-of.From, 10), note)
	}
	if err := t.print(m.Stdout); err != nil {
		return err
	}
	_, err := fmt.Fprintln(m.Stdout)
	return err
}
