package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/preview"
	"traitstream/trait"
)

type previewOptions struct {
	trait  string
	since  since
	sample int
	users  int64
	memory int64 // MiB
}

func (m *Main) previewCommand() *cobra.Command {
	o := previewOptions{sample: 20, memory: preview.DefaultMemory >> 20}
	c := &cobra.Command{
		Use:   "preview",
		Short: "Compute the definitions of a file from history, and compare",
		Long: "Reads the history of the sources and tells what the definitions of the file would make of it: how many\n" +
			"impressions match, users and values, how many changes each destination would have received, some users,\n" +
			"conditions that never hold and flags that no definition wants; and how it differs from the traits that\n" +
			"the running app holds now. It writes nothing and joins no group.\n\n" +
			"All impressions and users are counted. Values, changes and differences are counted by all users as well,\n" +
			"as long as these fit into --memory or --users says; else they are estimated by a sample of them, and users\n" +
			"are counted by HyperLogLog. The process needs about twice --memory.\n\n" +
			"How often a trait changed depends on the order in which partitions are read where a user's impressions\n" +
			"lie in several; its value does not. Traits that would have expired on the way are counted at the end alone.\n\n" +
			"An interrupt prints what was found until then.",
		Example: "  traitstream preview -c new.yaml\n" +
			"  traitstream preview -c new.yaml --trait checkout --since 30d\n" +
			"  traitstream preview -c new.yaml --sample 0 --format json",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			if err := o.check(c.Flags().Changed("users")); err != nil {
				return err
			}
			return m.preview(c.Context(), cfg, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.trait, "trait", "", "only the definition of this `NAME`, or the trait")
	f.Var(&o.since, "since", "only records from then on: a time (RFC 3339, a date or ms), or how far back, such as 30d (default all)")
	f.IntVar(&o.sample, "sample", o.sample, "show `N` users of each definition, and as many differences of a kind")
	f.Int64Var(&o.users, "users", 0, "keep `N` users at most, and estimate by them where there are more (default as --memory allows)")
	f.Int64Var(&o.memory, "memory", o.memory, "keep so many `MIB` of users and traits at most")
	return c
}

// check finds what can't be meant.
func (o *previewOptions) check(users bool) error {
	switch {
	case o.sample < 0 || o.sample > 10_000:
		return usage("--sample is a number from 0 to 10000, not %d", o.sample)
	case users && o.users < 1:
		return usage("--users is a number from 1, not %d", o.users)
	case o.since.at.After(time.Now()):
		return usage("--since %s lies in the future", o.since.text)
	case o.memory < 1 || o.memory > 64<<10:
		return usage("--memory is a number of MiB from 1 to %d, not %d", 64<<10, o.memory)
	}
	return nil
}

// preview computes, and prints what it has found.
func (m *Main) preview(ctx context.Context, cfg *config.Config, o previewOptions) error {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	topics, err := kafka.EnsureTopics(ctx, conn.client, cfg, kafka.Creation{})
	if err != nil {
		return err
	}
	inForce, err := setInForce(ctx, conn, cfg, topics)
	if err != nil {
		return err
	}
	if err := o.checkTrait(cfg, inForce); err != nil {
		return err
	}
	of, err := m.newPreview(ctx, conn, cfg, topics)
	if err != nil {
		return err
	}
	if inForce != nil {
		of.Change = trait.NewChange(inForce, cfg.Set)
	}
	of.Since, of.Trait, of.Sample, of.Users, of.Memory = o.since.at, o.trait, o.sample, o.users, o.memory<<20
	report, err := m.readPreview(ctx, of)
	if err != nil {
		return err
	}
	if err := m.printPreview(report); err != nil {
		return err
	}
	switch {
	case !report.Complete:
		return errors.New("stopped before all was read: what is printed is of a part of the history, and was not compared with the running app")
	case o.trait != "" && report.Empty():
		return nothingYields(o.trait, cfg)
	}
	return nil
}

// newPreview returns what a preview of a configuration works with, of all that the
// sources hold.
func (m *Main) newPreview(ctx context.Context, conn *connection, cfg *config.Config, topics *kafka.Topics) (of preview.Options, err error) {
	r, err := newRegistry(cfg.Registry, m.logger(m.Stderr))
	if err != nil {
		return of, err
	}
	of = preview.Options{Config: cfg, Topics: topics, Client: conn.client, Schemas: r.Lookup(ctx), Now: time.Now()}
	if !topics.Traits.Missing {
		of.Avro, err = knownOutput(ctx, cfg, topics.Traits, r)
	}
	return of, err
}

// readPreview previews and shows how far it is.
func (m *Main) readPreview(ctx context.Context, of preview.Options) (report *preview.Report, err error) {
	progress := previewProgress{now: time.Now}
	of.Progress = progress.reached
	err = m.newMeter("previewing", m.newScreen()).during(ctx, progress.reading, func() (err error) {
		report, err = preview.Run(ctx, of)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("previewing: %w", err)
	}
	return report, nil
}

func (m *Main) printPreview(report *preview.Report) (err error) {
	out := bufio.NewWriterSize(m.Stdout, 64<<10)
	if m.format == "json" {
		err = printPreviewJSON(out, report)
	} else {
		p := &previewPrinter{out: out, bars: isTerminal(m.Stdout), colours: m.painter() != nil}
		err = p.print(report)
	}
	return errors.Join(err, out.Flush())
}

// checkTrait finds that nothing can be of the name that is asked for, before
// anything is read.
func (o *previewOptions) checkTrait(cfg *config.Config, inForce *trait.Set) error {
	for _, set := range []*trait.Set{cfg.Set, inForce} {
		if o.trait == "" || set != nil && (set.Has(o.trait) || set.CanYield(o.trait)) {
			return nil
		}
	}
	return nothingYields(o.trait, cfg)
}

// mostNames is how many definitions an error names.
const mostNames = 20

func nothingYields(name string, cfg *config.Config) error {
	var names []string
	for i := range cfg.Traits[:min(len(cfg.Traits), mostNames)] {
		names = append(names, printable(cfg.Traits[i].Name.String()))
	}
	if more := len(cfg.Traits) - mostNames; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("nothing yields a trait %s: --trait names a trait, or one of the file's definitions: %s", printable(name), strings.Join(names, ", "))
}

// previewProgress is how far a preview is.
type previewProgress struct {
	now func() time.Time

	mu    sync.Mutex
	stage string
	began time.Time // of the stage
	last  reading
}

func (p *previewProgress) reached(stage string, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if stage != p.stage {
		p.stage, p.began, p.last = stage, now, reading{}
	}
	if done < p.last.done {
		return // of a reader that was slower to tell
	}
	rate := perSecond(done, now.Sub(p.began))
	p.last = reading{
		done: done, total: total, doing: stage + " ",
		words:      fmt.Sprintf(" %s of %s offsets  %s/s", humanCount(done), humanCount(total), humanCount(int64(rate))),
		attributes: []any{"stage", stage, "done", done, "of", total, "per_second", int64(rate)},
	}
	if wait := left(total-done, rate); wait >= 0 {
		p.last.words += "  " + humanWait(wait) + " left"
		p.last.attributes = append(p.last.attributes, "left", humanWait(wait))
	}
}

func (p *previewProgress) reading() (reading, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.stage != ""
}
