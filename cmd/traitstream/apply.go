package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/schemas"
)

type applyOptions struct {
	consent consent
	rate    recordRate
	reason  string
	timeout time.Duration
	dryRun  bool
	quick   bool
}

func (o *applyOptions) flags(c *cobra.Command) {
	f := c.Flags()
	o.consent.flag(c)
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and do nothing")
	f.BoolVar(&o.quick, "quick", false, "do not read the sources to tell how many traits change: compare the definitions alone")
	f.Var(&o.rate, "rate", "read so many records of history a second at most, such as 500/s (default as many as live impressions leave room for)")
	f.StringVar(&o.reason, "reason", "", "`TEXT` that is kept with the definitions")
	f.Var((*timeout)(&o.timeout), "timeout", "give the definitions up that are not computed in time, such as 1h (default wait as long as it takes)")
}

// check finds what can't be meant.
func (o *applyOptions) check() error {
	if o.timeout < 0 {
		return usage("--timeout can't be less than nothing")
	}
	return nil
}

func (m *Main) applyCommand() *cobra.Command {
	var o applyOptions
	c := &cobra.Command{
		Use:   "apply",
		Short: "Put the configuration's definitions in force, without a stop",
		Long: "Compares the definitions of the configuration with those in force and prints what is new, changed and gone. Then it\n" +
			"reads the history of the sources as preview does, and tells how many traits that adds, changes and removes, and how\n" +
			"many can't be recomputed; --quick leaves that out. Until then nothing is written, and an interrupt ends it.\n\n" +
			"When that is meant, what is new or changed is computed from the sources' history beside what is in force, while that\n" +
			"goes on. When all tasks have read it, they go over: what differs is sent, and what has lost its definition is removed.\n\n" +
			"A changed definition is computed from what the sources still hold; one that stays keeps what it knows from before.\n" +
			"An interrupt then stops watching, not the change: `definitions cancel` gives it up.",
		Example: "  traitstream apply -c new.yaml --dry-run\n" +
			"  traitstream apply -c new.yaml --yes --reason \"only those who saw it on\"\n" +
			"  traitstream apply -c new.yaml --yes --rate 5000/s --timeout 1h",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			cfg, err := m.load()
			if err != nil {
				return err
			}
			return m.withJobs(c.Context(), cfg, func(a *jobsApp) error { return m.apply(c.Context(), a, cfg, o) })
		},
	}
	o.flags(c)
	return c
}

// withJobs connects and calls fn with the jobs of an app whose topics are there.
func (m *Main) withJobs(ctx context.Context, cfg *config.Config, fn func(*jobsApp) error) error {
	a, err := m.openJobs(ctx, cfg)
	if err != nil {
		return err
	}
	defer a.close()
	for _, t := range []kafka.Topic{a.topics.Control, a.topics.Inbox} {
		if t.Missing {
			return fmt.Errorf("no definitions are in force yet: topic %s does not exist; run creates it", t.Name)
		}
	}
	return fn(a)
}

// apply puts the definitions of a configuration in force.
func (m *Main) apply(ctx context.Context, a *jobsApp, cfg *config.Config, o applyOptions) error {
	all, err := a.jobs.Generations(ctx)
	if err != nil {
		return err
	}
	current, ok := processor.InForce(all)
	if !ok {
		return errors.New("no definitions are in force: run puts those of its configuration in force when it starts for the first time")
	}
	_, hash, err := config.Definitions(cfg.Traits)
	if err != nil {
		return err
	}
	if way, ok := onTheWay(all); ok {
		if way.Hash == hash && !o.dryRun {
			return m.watchDefinitions(ctx, a.conn, a.jobs, way.Generation, o.timeout)
		}
		return overlaps(way)
	}
	if hash == current.Hash {
		return m.nothingToApply(current)
	}
	p, err := newPlan(current, cfg)
	if err != nil {
		return err
	}
	if err := m.tellPlan(ctx, a, p, o); err != nil || o.dryRun {
		return err
	}
	if err := m.ask(ctx, "Put them in force?", o.consent); err != nil {
		return err
	}
	d, err := a.jobs.Define(ctx, a.conn.options, processor.DefineRequest{
		Traits: cfg.Traits, Rate: int64(o.rate), Base: &current.Generation, Reason: o.reason, By: whoami(),
	})
	if err != nil {
		return err
	}
	return m.watchDefinitions(ctx, a.conn, a.jobs, d.Generation, o.timeout)
}

// onTheWay returns the definitions that are being computed or gone over to.
func onTheWay(all []schemas.Definitions) (d schemas.Definitions, ok bool) {
	for _, of := range all {
		if of.State == schemas.DefinitionsPreparing || of.State == schemas.DefinitionsSwitching {
			d, ok = of, true
		}
	}
	return d, ok
}

// overlaps says that others are on their way.
func overlaps(d schemas.Definitions) error {
	return fmt.Errorf("generation %d is on its way already (%s): wait until it is in force, or give it up by `traitstream definitions cancel %d`",
		d.Generation, stateWord(d, 0), d.Generation)
}

// watchDefinitions waits until definitions are in force.
func (m *Main) watchDefinitions(ctx context.Context, conn *connection, jobs *processor.Jobs, generation uint32, timeout time.Duration) error {
	fmt.Fprintf(m.Stderr, "generation %d is being computed from history; `traitstream definitions cancel %d` gives it up\n", generation, generation)
	if err := m.warnOfNobody(ctx, conn, jobs.Group()); err != nil {
		return err
	}
	var now atomic.Pointer[reading]
	var state schemas.DefinitionsState
	began := time.Now()
	look := func() (reading, bool) {
		r := now.Load()
		if r == nil {
			return reading{}, false
		}
		return *r, true
	}
	err := m.newMeter("computing definitions", m.newScreen()).during(ctx, look, func() (err error) {
		for {
			switch state, err = m.lookAtDefinitions(ctx, jobs, generation, &now); {
			case ctx.Err() != nil:
				return noLongerWatching(generation)
			case err != nil:
				return fmt.Errorf("%w; generation %d goes on without", err, generation)
			case state == schemas.DefinitionsInForce, state == schemas.DefinitionsCancelled:
				return nil
			}
			if timeout > 0 && time.Since(began) > timeout && state == schemas.DefinitionsPreparing {
				if err := jobs.Undefine(ctx, conn.options, generation); err != nil {
					return err
				}
				return fmt.Errorf("generation %d was not computed within %s and is given up (was --rate low, or has a task no owner? status tells)", generation, timeout)
			}
			select {
			case <-ctx.Done():
				return noLongerWatching(generation)
			case <-time.After(500 * time.Millisecond):
			}
		}
	})
	if err != nil {
		return err
	}
	if state == schemas.DefinitionsCancelled {
		return fmt.Errorf("generation %d was cancelled", generation)
	}
	if m.format == "json" {
		return m.printJSON(struct {
			Generation uint32 `json:"generation"`
			State      string `json:"state"`
		}{generation, string(state)})
	}
	_, err = fmt.Fprintf(m.Stdout, "generation %d is in force\n", generation)
	return err
}

func noLongerWatching(generation uint32) error {
	return fmt.Errorf("no longer watching; generation %d goes on without: the same command watches it again", generation)
}

// lookAtDefinitions tells how a generation is, and how far.
func (m *Main) lookAtDefinitions(ctx context.Context, jobs *processor.Jobs, generation uint32, now *atomic.Pointer[reading]) (schemas.DefinitionsState, error) {
	all, err := jobs.Generations(ctx)
	if err != nil {
		return "", err
	}
	list, err := jobs.List(ctx)
	if err != nil {
		return "", err
	}
	if i := slices.IndexFunc(list, func(s processor.JobStatus) bool { return computes(&s.Job, generation) }); i >= 0 {
		r := progressOf(&list[i])
		now.Store(&r)
	}
	for _, d := range all {
		if d.Generation == generation {
			return d.State, nil
		}
	}
	return "", fmt.Errorf("generation %d is not in the control topic any more", generation)
}

// whoami tells who gives a command.
func whoami() string {
	name, host := "", ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return strings.Trim(name+"@"+host, "@")
}
