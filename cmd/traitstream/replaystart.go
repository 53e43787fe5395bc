package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/schemas"
)

type replayStartOptions struct {
	from, to       since
	offsets        []string
	identity, emit string
	users, splits  []string
	rate           recordRate
	reason         string
	consent        consent
	dryRun, wait   bool
}

func (m *Main) replayStartCommand() *cobra.Command {
	o := replayStartOptions{emit: string(schemas.EmitChanges), consent: consent{harmless: true}}
	c := &cobra.Command{
		Use:   "start",
		Short: "Begin a replay",
		Long: "Says what would be read and sent, and begins a job that does it. What it reads is history: it ends where the\n" +
			"group is. What was merged before changes nothing when it is merged again.\n\n" +
			"--emit changes reads the sources again and sends what differs from the last change that was sent. --emit none\n" +
			"reads them too, fills state alone and sends nothing. --emit all reads no source: it sends the last change of\n" +
			"each trait again, with the same change_id and the header traitstream.replay, for subscribers that have lost\n" +
			"data; --from and --to are then when the values were seen.\n\n" +
			"On a terminal it asks whether the plan is meant. Who runs carries it out; `replay wait` follows it.",
		Example: "  traitstream replay start --dry-run --from 30d\n" +
			"  traitstream replay start --from-offset impressions/3/120000 --rate 500/s --reason \"the source was repaired\"\n" +
			"  traitstream replay start --emit all --user user-1042 --yes --wait",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			request, err := o.request(cfg)
			if err != nil {
				return err
			}
			return m.replayStart(c.Context(), cfg, o, request)
		},
	}
	f := c.Flags()
	f.Var(&o.from, "from", "read what was written from then on: a time (RFC 3339, a date or ms), or how far back, such as 12h or 7d")
	f.Var(&o.to, "to", "and before then")
	f.StringArrayVar(&o.offsets, "from-offset", nil, "read this partition from an offset on, `TOPIC/PARTITION/OFFSET`, and no other; it may be given several times")
	f.StringArrayVar(&o.users, "user", nil, "only this `USER`; it may be given several times")
	f.StringVar(&o.identity, "identity", "", "only users that are known by this: user or anonymous (default both)")
	f.StringArrayVar(&o.splits, "split", nil, "only this `FLAG`; it may be given several times")
	f.Var(&o.rate, "rate", "take so many records a second at most, such as 500/s (default as many as live impressions leave room for)")
	f.StringVar(&o.emit, "emit", o.emit, "send `WHAT`: changes, all or none")
	f.StringVar(&o.reason, "reason", "", "a `TEXT` that the job keeps")
	o.consent.flag(c)
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan alone")
	f.BoolVar(&o.wait, "wait", false, "wait until the job is over")
	return c
}

// recordRate is the value of --rate; 0 is no bound.
type recordRate int64

func (r *recordRate) String() string {
	if *r == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*r), 10) + "/s"
}

func (r *recordRate) Set(text string) error {
	n, err := strconv.ParseInt(strings.TrimSuffix(text, "/s"), 10, 64)
	if err != nil || n < 1 {
		return errors.New("it is a number of records a second from 1, such as 500/s")
	}
	*r = recordRate(n)
	return nil
}

func (*recordRate) Type() string { return "N/s" }

// request checks what is asked for, and returns it.
func (o *replayStartOptions) request(cfg *config.Config) (processor.ReplayRequest, error) {
	r := processor.ReplayRequest{
		Emit: schemas.JobEmit(o.emit), From: o.from.at, To: o.to.at, Identity: o.identity, Users: once(o.users), Splits: once(o.splits),
		Rate: int64(o.rate), Reason: o.reason, By: whoami(),
	}
	if err := o.check(); err != nil {
		return r, err
	}
	for _, text := range o.offsets {
		at, err := parseSourceOffset(text, cfg)
		if err != nil {
			return r, err
		}
		if slices.ContainsFunc(r.Offsets, func(b processor.PartitionOffset) bool { return b.Topic == at.Topic && b.Partition == at.Partition }) {
			return r, usage("--from-offset names %s, partition %d, twice", at.Topic, at.Partition)
		}
		r.Offsets = append(r.Offsets, at)
	}
	return r, nil
}

// check finds what can't be meant.
func (o *replayStartOptions) check() error {
	emits := []schemas.JobEmit{schemas.EmitChanges, schemas.EmitAll, schemas.EmitNone}
	identities := []string{"", impression.User.String(), impression.Anonymous.String()}
	switch {
	case !slices.Contains(emits, schemas.JobEmit(o.emit)):
		return usage("--emit is changes, all or none, not %q", o.emit)
	case !slices.Contains(identities, o.identity):
		return usage("--identity is user or anonymous, not %q", o.identity)
	case !o.from.at.IsZero() && !o.to.at.IsZero() && !o.from.at.Before(o.to.at):
		return usage("--from %s is not before --to %s", o.from.text, o.to.text)
	case len(o.offsets) > 0 && o.emit == string(schemas.EmitAll):
		return usage("--emit all sends what is in the state and reads no source: --from-offset does not go with it")
	case len(o.offsets) > 0 && !o.from.at.IsZero():
		return usage("--from and --from-offset both say where to begin; give one of them")
	case slices.Contains(o.splits, ""):
		return usage("--split: a flag is not empty")
	case o.dryRun && o.wait:
		return usage("--dry-run begins nothing that --wait could wait for")
	}
	for _, u := range o.users {
		if err := checkUser(u); err != nil {
			return fmt.Errorf("--user: %w", err)
		}
	}
	return nil
}

// once returns texts in their order, each once.
func once(texts []string) (all []string) {
	for _, t := range texts {
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}

// parseSourceOffset reads a place of a source, as headers and dead letters tell it.
func parseSourceOffset(text string, cfg *config.Config) (at processor.PartitionOffset, err error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return at, usage("--from-offset is TOPIC/PARTITION/OFFSET, not %q", text)
	}
	number, err1 := strconv.ParseInt(parts[1], 10, 32)
	offset, err2 := strconv.ParseInt(parts[2], 10, 64)
	if errors.Join(err1, err2) != nil || number < 0 || offset < 0 {
		return at, usage("--from-offset is TOPIC/PARTITION/OFFSET, two numbers from 0 behind the topic, not %q", text)
	}
	if sources := sourceTopics(cfg); !slices.Contains(sources, parts[0]) {
		return at, usage("--from-offset: %s is no source; these are: %s", parts[0], strings.Join(sources, ", "))
	}
	return processor.PartitionOffset{Topic: parts[0], Partition: int32(number), Offset: offset}, nil
}

// replayStart plans a job, tells of it and begins it.
func (m *Main) replayStart(ctx context.Context, cfg *config.Config, o replayStartOptions, r processor.ReplayRequest) error {
	a, err := m.openJobs(ctx, cfg)
	if err != nil {
		return err
	}
	defer a.close()
	for _, t := range []kafka.Topic{a.topics.Traits, a.topics.Changelog, a.topics.Inbox, a.topics.Control} {
		if t.Missing {
			return fmt.Errorf("there is nothing to replay: topic %s does not exist; run creates it", t.Name)
		}
	}
	plan, err := a.jobs.Plan(ctx, r)
	if err != nil {
		return err
	}
	if err := m.printReplayPlan(a, plan, o.dryRun); err != nil || o.dryRun {
		return err
	}
	if err := m.ask(ctx, "Begin this replay?", o.consent); err != nil {
		return err
	}
	if err := a.jobs.Put(ctx, &plan.Job); err != nil {
		return err
	}
	if err := m.tellOfStart(plan); err != nil {
		return err
	}
	if o.wait {
		return m.waitForJob(ctx, a, plan.Job.ID, 0)
	}
	return m.warnOfNobody(ctx, a.conn, a.cfg.Group())
}

func (m *Main) tellOfStart(plan *processor.Plan) error {
	if m.format == "json" {
		return nil // the plan has it
	}
	_, err := fmt.Fprintf(m.Stdout, "job %[1]s has begun; `traitstream replay wait %[1]s` follows it, and pause and cancel stop it\n", plan.Job.ID)
	return err
}
