package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/schemas"
)

func (m *Main) replayCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "replay",
		Short: "Read history again, or send traits again, beside live impressions",
		Long: "A replay is a job that stands in the control topic and is carried out by the processes that run, in the\n" +
			"transactions of live impressions, which go first. It survives whatever happens to a process.",
		Example: "  traitstream replay start --dry-run\n" +
			"  traitstream replay list\n" +
			"  traitstream replay wait 20260302-101530-5e0c --timeout 1h\n" +
			"  traitstream replay cancel 5e0c",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage("replay: say what to do: start, list, show, pause, resume, cancel or wait")
		},
	}
	c.AddCommand(m.replayStartCommand(), m.replayListCommand(), m.replayShowCommand(), m.replayWaitCommand())
	c.AddCommand(m.replayStateCommands()...)
	return c
}

// jobsApp is an app whose replay jobs are looked at.
type jobsApp struct {
	conn   *connection
	cfg    *config.Config
	topics *kafka.Topics
	jobs   *processor.Jobs
}

// openJobs connects. The caller closes the client.
func (m *Main) openJobs(ctx context.Context, cfg *config.Config) (*jobsApp, error) {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	topics, err := kafka.EnsureTopics(ctx, conn.client, cfg, kafka.Creation{})
	if err != nil {
		conn.client.Close()
		return nil, err
	}
	return &jobsApp{conn, cfg, topics, processor.NewJobs(conn.client, cfg, topics)}, nil
}

func (a *jobsApp) close() { a.conn.client.Close() }

// list returns the jobs, oldest first, without those of definitions.
func (a *jobsApp) list(ctx context.Context) ([]processor.JobStatus, error) {
	if a.topics.Control.Missing {
		return nil, nil
	}
	all, err := a.jobs.List(ctx)
	return slices.DeleteFunc(all, func(s processor.JobStatus) bool { return s.Job.Emit == schemas.EmitDefine }), err
}

// find returns a job by its id, or by how that alone begins or ends.
func (a *jobsApp) find(ctx context.Context, id string) (*processor.JobStatus, error) {
	all, err := a.list(ctx)
	if err != nil {
		return nil, err
	}
	var found []*processor.JobStatus
	for i := range all {
		switch full := all[i].Job.ID; {
		case full == id:
			return &all[i], nil
		case strings.HasPrefix(full, id), strings.HasSuffix(full, id):
			found = append(found, &all[i])
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("%q may be any of %s", id, newestIDs(found))
	case len(all) == 0:
		return nil, fmt.Errorf("there is no replay job %q: app %s has none; `replay start` begins one", id, a.cfg.App)
	}
	for i := range all {
		found = append(found, &all[i])
	}
	return nil, fmt.Errorf("there is no replay job %q in app %s; there is %s (`replay list --all` tells of all)", id, a.cfg.App, newestIDs(found))
}

// shownIDs is how many ids an error tells.
const shownIDs = 3

// newestIDs names the newest of some jobs, of which there is at least one.
func newestIDs(all []*processor.JobStatus) string {
	var ids []string
	for _, s := range slices.Backward(all) {
		if ids = append(ids, s.Job.ID); len(ids) == shownIDs {
			break
		}
	}
	text := strings.Join(ids, ", ")
	if more := len(all) - len(ids); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// nobodyRuns tells whether there is no process to carry a job out.
func nobodyRuns(ctx context.Context, conn *connection, group string) (bool, error) {
	g, err := describeGroup(ctx, conn.client, group)
	return err == nil && len(g.members) == 0, err
}

// warnOfNobody says so if nobody runs.
func (m *Main) warnOfNobody(ctx context.Context, conn *connection, group string) error {
	nobody, err := nobodyRuns(ctx, conn, group)
	if nobody {
		fmt.Fprintf(m.Stderr, "nobody is in group %s: the job waits until a process runs (`traitstream run`)\n", group)
	}
	return err
}

// withJob does something with a job that an argument names.
func (m *Main) withJob(ctx context.Context, id string, do func(*jobsApp, *processor.JobStatus) error) error {
	if id == "" {
		return usage("the id of the job is empty; `traitstream replay list` tells which there are")
	}
	cfg, err := m.load()
	if err != nil {
		return err
	}
	a, err := m.openJobs(ctx, cfg)
	if err != nil {
		return err
	}
	defer a.close()
	s, err := a.find(ctx, id)
	if err != nil {
		return err
	}
	return do(a, s)
}

// replayStateCommands are those that change what becomes of a job.
func (m *Main) replayStateCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, to := range []struct {
		name, short, long string
		state             schemas.JobState
	}{
		{"pause", "Let a job rest", "Lets a job rest, until `replay resume`. What it has done stays.", schemas.JobPaused},
		{"resume", "Let a paused job go on", "Lets a job go on where it was paused.", schemas.JobRunning},
		{"cancel", "End a job before its end", "Ends a job. What it has done stays; it can't go on any more.", schemas.JobCancelled},
	} {
		commands = append(commands, &cobra.Command{
			Use: to.name + " JOB", Short: to.short, Long: to.long + " A job that is so already stays so.",
			Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				return m.withJob(c.Context(), args[0], func(a *jobsApp, s *processor.JobStatus) error {
					return m.setJob(c.Context(), a, s, to.name, to.state)
				})
			},
		})
	}
	return commands
}

// setJob gives a job a state, unless it is over.
func (m *Main) setJob(ctx context.Context, a *jobsApp, s *processor.JobStatus, verb string, state schemas.JobState) error {
	text := fmt.Sprintf("job %s is %s already", s.Job.ID, state)
	if s.Job.State != state {
		if s.Job.State.Over() {
			return fmt.Errorf("job %s is %s: there is nothing to %s any more", s.Job.ID, s.Job.State, verb)
		}
		now, err := a.jobs.SetState(ctx, a.conn.options, s.Job.ID, state)
		if err != nil {
			return fmt.Errorf("job %s: %w", s.Job.ID, err)
		}
		if s.Job = *now; now.State != state {
			return m.setJob(ctx, a, s, verb, state) // it was over first
		}
		text = fmt.Sprintf("job %s is %s", s.Job.ID, state)
	}
	if m.format == "json" {
		return m.printJSON(newJobReport(s))
	}
	_, err := fmt.Fprintln(m.Stdout, text)
	return errors.Join(err, m.tellOfNext(ctx, a, s))
}

// tellOfNext says what a job that is not over waits for.
func (m *Main) tellOfNext(ctx context.Context, a *jobsApp, s *processor.JobStatus) error {
	switch s.Job.State {
	case schemas.JobPaused:
		_, err := fmt.Fprintf(m.Stdout, "`traitstream replay resume %s` lets it go on\n", s.Job.ID)
		return err
	case schemas.JobRunning:
		return m.warnOfNobody(ctx, a.conn, a.cfg.Group())
	}
	return nil
}
