package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"traitstream/processor"
	"traitstream/schemas"
)

const (
	// jobInterval is how often it is looked how far a job is.
	jobInterval = 500 * time.Millisecond
	// nobodyInterval is how often it is looked whether anybody carries it out.
	nobodyInterval = 10 * time.Second
)

func (m *Main) replayWaitCommand() *cobra.Command {
	var bound time.Duration
	c := &cobra.Command{
		Use:   "wait JOB",
		Short: "Wait until a job is over",
		Long: "Waits until a job is over, shows how far it is, and tells what it has done. The exit status is 1 where it was\n" +
			"cancelled, or is not over in time; a job goes on though nobody waits for it.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if bound < 0 || bound == 0 && c.Flags().Changed("timeout") {
				return usage("--timeout must be longer than nothing")
			}
			return m.withJob(c.Context(), args[0], func(a *jobsApp, s *processor.JobStatus) error {
				return m.waitForJob(c.Context(), a, s.Job.ID, bound)
			})
		},
	}
	c.Flags().Var((*timeout)(&bound), "timeout", "wait so long at most, such as 90s (default as long as it takes)")
	return c
}

// jobWait is a wait for a job.
type jobWait struct {
	a    *jobsApp
	id   string
	now  jobReport
	last atomic.Pointer[reading]

	// The first look since when it goes on, by which its rate is known.
	began time.Time
	first int64
}

// waitForJob waits until a job is over, for some time if that is not 0, and tells
// what it has done.
func (m *Main) waitForJob(ctx context.Context, a *jobsApp, id string, timeout time.Duration) error {
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		bounded, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	w := &jobWait{a: a, id: id}
	err := m.newMeter("replaying", m.newScreen()).during(bounded, w.reading, func() error {
		return w.until(bounded, func(ctx context.Context, a *jobsApp) error { return m.warnOfNobody(ctx, a.conn, a.cfg.Group()) })
	})
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped waiting; the job goes on: `traitstream replay wait %s` waits again", id)
	case bounded.Err() != nil:
		return fmt.Errorf("job %s is not over after %s: %s, %d %%; it goes on", id, timeout, w.now.State, w.now.Percent)
	case err != nil:
		return err
	}
	if err := m.printOutcome(&w.now); err != nil {
		return err
	}
	if w.now.State == schemas.JobFailed {
		return fmt.Errorf("job %s has failed; what it has done stays: %s", id, w.now.Error)
	}
	if w.now.State == schemas.JobCancelled {
		return fmt.Errorf("job %s was cancelled; what it has done stays", id)
	}
	return nil
}

func (m *Main) printOutcome(r *jobReport) error {
	if m.format == "json" {
		return m.printJSON(r)
	}
	_, err := fmt.Fprintf(m.Stdout, "job %s is %s after %s: %s\n", r.Job, r.State, humanWait(r.Changed.Sub(r.Created)), r.counts())
	return err
}

// until looks at the job until it is over.
func (w *jobWait) until(ctx context.Context, warn func(context.Context, *jobsApp) error) error {
	look := time.NewTicker(jobInterval)
	defer look.Stop()
	for warned := (time.Time{}); ; {
		if err := w.look(ctx); err != nil || w.now.State.Over() {
			return err
		}
		if time.Since(warned) >= nobodyInterval {
			warned = time.Now()
			if err := warn(ctx, w.a); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}

// look looks once.
func (w *jobWait) look(ctx context.Context) error {
	all, err := w.a.list(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Job.ID == w.id {
			w.take(newJobReport(&all[i]), time.Now())
			return nil
		}
	}
	return errors.New("the job is gone from " + w.a.topics.Control.Name)
}

// take takes how far the job is at a time.
func (w *jobWait) take(r jobReport, now time.Time) {
	w.now = r
	if r.State != schemas.JobRunning || r.Read == 0 {
		w.began = time.Time{}
	} else if w.began.IsZero() {
		w.began, w.first = now, r.Read
	}
	shown := reading{
		done: r.Read, total: r.Total, doing: "replaying ", words: " " + r.counts(),
		attributes: []any{"job", r.Job, "state", string(r.State), "done", fmt.Sprintf("%d %%", r.Percent), "read", r.Read, "sent", r.Sent},
	}
	if r.Emit == schemas.EmitAll {
		shown.done, shown.total = int64(r.TasksDone), int64(r.Tasks)
	}
	if r.State == schemas.JobPaused {
		shown.doing = "paused "
	}
	if r.WaitsSince != nil {
		shown.words += "  " + waitsFor(*r.WaitsSince)
		shown.attributes = append(shown.attributes, "waits_since", *r.WaitsSince)
	} else if wait := left(r.Total-r.Read, perSecond(r.Read-w.first, now.Sub(w.began))); !w.began.IsZero() && wait >= 0 && r.Total > 0 {
		shown.words += "  " + humanWait(wait) + " left"
		shown.attributes = append(shown.attributes, "left", humanWait(wait))
	}
	w.last.Store(&shown)
}

func (w *jobWait) reading() (reading, bool) {
	if r := w.last.Load(); r != nil {
		return *r, true
	}
	return reading{}, false
}
