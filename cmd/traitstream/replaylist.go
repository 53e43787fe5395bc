package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/processor"
	"traitstream/schemas"
)

// listedFor is how long a job that is over is listed without --all.
const listedFor = 7 * 24 * time.Hour

func (m *Main) replayListCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List replay jobs",
		Long: "Lists the jobs that are not over, and those that have ended within seven days; with --all older ones too. They\n" +
			"are kept for 90 days.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			return m.replayList(c.Context(), cfg, all)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "list those too that ended more than seven days ago")
	return c
}

func (m *Main) replayList(ctx context.Context, cfg *config.Config, all bool) error {
	a, err := m.openJobs(ctx, cfg)
	if err != nil {
		return err
	}
	defer a.close()
	jobs, err := a.list(ctx)
	if err != nil {
		return err
	}
	var reports []jobReport
	for i := range jobs {
		if r := newJobReport(&jobs[i]); all || !r.State.Over() || time.Since(r.Changed) < listedFor {
			reports = append(reports, r)
		}
	}
	return m.printJobs(reports, len(jobs)-len(reports))
}

// printJobs prints some jobs, and how many are left out.
func (m *Main) printJobs(reports []jobReport, older int) error {
	if m.format == "json" {
		for _, r := range reports {
			if err := m.printJSON(r); err != nil {
				return err
			}
		}
		return nil
	}
	if len(reports) > 0 {
		t := table{right: map[int]bool{4: true, 5: true, 6: true, 7: true, 8: true}, paint: m.painter()}
		t.add("JOB", "STATE", "EMIT", "CREATED", "DONE", "READ", "FORWARDED", "MERGED", "SENT", "REASON")
		for _, r := range reports {
			t.add(r.Job, string(r.State), string(r.Emit), moment(r.Created), fmt.Sprintf("%d %%", r.Percent),
				humanCount(r.Read), humanCount(r.Forwarded), humanCount(r.Merged), humanCount(r.Sent), printable(r.Reason))
		}
		if err := t.print(m.Stdout); err != nil {
			return err
		}
	}
	var err error
	switch {
	case older > 0:
		_, err = fmt.Fprintf(m.Stdout, "%s ended earlier: --all\n", plural(older, "job", "jobs"))
	case len(reports) == 0:
		_, err = fmt.Fprintln(m.Stdout, "no replay jobs")
	}
	return err
}

func (m *Main) replayShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show JOB",
		Short: "Show a job, and how far each task is with it",
		Long: "Shows what a job is to do, and how far each task is with it. A job is named by its id, or by how that alone\n" +
			"begins or ends.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return m.withJob(c.Context(), args[0], func(_ *jobsApp, s *processor.JobStatus) error { return m.printJob(s) })
		},
	}
}

// shownJob is a job with its tasks, as JSON.
type shownJob struct {
	jobReport
	Ranges  []rangeReport `json:"ranges"`
	Reports []taskShare   `json:"by_task"` // tasks that have begun
}

// taskShare is a task's part of a job.
type taskShare struct {
	Task  int32 `json:"task"`
	Done  bool  `json:"done"`
	Total int64 `json:"total"`
	// Waits is since when live impressions leave it no room, if they do not.
	Waits *time.Time `json:"waits_since,omitempty"`
	At    time.Time  `json:"at"` // when it told so
	schemas.JobCounts
}

func (m *Main) printJob(s *processor.JobStatus) error {
	r := newJobReport(s)
	if m.format == "json" {
		shown := shownJob{r, rangesOf(&s.Job, nil), []taskShare{}}
		for _, of := range s.Reports {
			var waits *time.Time
			if of.Waits > 0 {
				waits = timeOrNone(of.Waits)
			}
			shown.Reports = append(shown.Reports, taskShare{of.Task, of.Done, of.Total, waits, time.UnixMilli(of.At).UTC(), of.JobCounts})
		}
		return m.printJSON(shown)
	}
	rows := table{whole: true}
	rows.add("job", r.Job)
	rows.add("state", string(r.State)+", "+r.progress())
	if r.WaitsSince != nil {
		rows.add("now", waitsFor(*r.WaitsSince))
	}
	rows.add("begun", when(s.Job.Created)+" by "+printable(r.By))
	if s.Job.Changed != s.Job.Created {
		rows.add(string(r.State), "since "+when(s.Job.Changed))
	}
	rows.add("reads", readsOf(s))
	for _, row := range aboutJob(&s.Job) {
		rows.add(row...)
	}
	rows.add("so far", r.counts())
	if err := rows.print(m.Stdout); err != nil {
		return err
	}
	if r.Error != "" {
		if _, err := fmt.Fprintf(m.Stdout, "\nit has failed: %s\n", r.Error); err != nil {
			return err
		}
	}
	if len(s.Reports) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(m.Stdout); err != nil {
		return err
	}
	return m.printShares(s)
}

// readsOf tells what a job reads.
func readsOf(s *processor.JobStatus) string {
	j := &s.Job
	if j.Emit == schemas.EmitAll {
		return "no source"
	}
	text := fmt.Sprintf("%s of %s", plural(int((&processor.Plan{Job: *j}).Total()), "offset", "offsets"),
		plural(len(j.Ranges), "partition", "partitions"))
	if j.From > 0 || j.To > 0 {
		text += ", " + between(j.From, j.To)
	}
	return text
}

// printShares prints a line for each task that has begun.
func (m *Main) printShares(s *processor.JobStatus) error {
	t := table{right: map[int]bool{0: true, 2: true, 3: true, 4: true, 5: true, 6: true}}
	t.add("TASK", "STATE", "READ", "OF", "FORWARDED", "MERGED", "SENT", "TOLD")
	for _, of := range s.Reports {
		state, total := "under way", humanCount(of.Total)
		if of.Done {
			state = "done"
		} else if of.Waits > 0 {
			state = "waits for live impressions"
		}
		if s.Job.Emit == schemas.EmitAll {
			total = "?"
		}
		t.add(strconv.Itoa(int(of.Task)), state, humanCount(of.Read), total, humanCount(of.Forwarded), humanCount(of.Merged),
			humanCount(of.Sent), humanWait(time.Since(time.UnixMilli(of.At)))+" ago")
	}
	return t.print(m.Stdout)
}
