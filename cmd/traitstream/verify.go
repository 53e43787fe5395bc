package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/state"
	"traitstream/verify"
)

type verifyOptions struct {
	tasks  []int32
	memory int64 // MiB
	all    bool
}

func (m *Main) verifyCommand() *cobra.Command {
	o := verifyOptions{memory: verify.DefaultMemory >> 20}
	c := &cobra.Command{
		Use:   "verify",
		Short: "Recompute the traits from the sources and compare",
		Long: "Recomputes the traits from the sources, by a slow second reading of its own, and compares them with the\n" +
			"traits topic, the changelog and the local state. It prints each difference, then what it has compared and\n" +
			"at which offsets. The exit status is 1 if something differs or the comparison could not be finished.\n\n" +
			"It writes to no topic and joins no group, so it may be used while run is going: what is on its way then\n" +
			"may or may not have been counted. What retention has removed from a source can't be recomputed; such\n" +
			"traits are counted and not called different, unless what is left shows that they are behind. So are traits\n" +
			"that have expired by an expire_after of before, and would not by the one of now.\n\n" +
			"What replay jobs have read of the time before the group began is recomputed too, and what they have sent\n" +
			"again must be what was sent last. Traits that a job has filled in and not sent, as it was told, are counted.\n\n" +
			"The local state in state.dir is compared if no process has it open. No run can open it meanwhile, and\n" +
			"opening it after a crash finishes what its log still holds.\n\n" +
			"All sources are read, once for as many tasks as fit into --memory. The process needs about twice as much.",
		Example: "  traitstream verify\n" +
			"  traitstream verify --task 0,1 --memory 1024\n" +
			"  traitstream verify --all --format json",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			if slices.ContainsFunc(o.tasks, func(task int32) bool { return task < 0 }) {
				return usage("--task is a number from 0, or several by comma")
			}
			if o.memory < 1 || o.memory > 1<<20 {
				return usage("--memory is a number of MiB from 1 to %d, not %d", 1<<20, o.memory)
			}
			return m.verify(c.Context(), cfg, o)
		},
	}
	f := c.Flags()
	f.Int32SliceVar(&o.tasks, "task", nil, "verify this `TASK` alone; more by comma (default all)")
	f.Int64Var(&o.memory, "memory", o.memory, "keep so many `MIB` of traits at a time")
	f.BoolVar(&o.all, "all", false, fmt.Sprintf("print every difference as text, not the first %d alone", shownDifferences))
	return c
}

// verify compares, and prints what it finds.
func (m *Main) verify(ctx context.Context, cfg *config.Config, o verifyOptions) (err error) {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	topics, err := verifiedTopics(ctx, cfg, conn, o.tasks)
	if err != nil {
		return err
	}
	generation, differs, err := inForce(ctx, conn, cfg, topics)
	if err != nil {
		return err
	}
	r, err := newRegistry(cfg.Registry, m.logger(m.Stderr))
	if err != nil {
		return err
	}
	written, err := knownOutput(ctx, cfg, topics.Traits, r)
	if err != nil {
		return err
	}
	store, absent, err := openLocal(ctx, cfg, conn)
	if err != nil {
		return err
	}
	if store != nil {
		defer func() { err = errors.Join(err, store.Close()) }()
	} else {
		fmt.Fprintf(m.Stderr, "the local state is not compared: %s\n", absent)
	}
	out := bufio.NewWriterSize(m.Stdout, 64<<10)
	p := &verifyPrinter{out: out, json: m.format == "json", all: o.all, absent: absent}
	if p.unprocessed, err = unprocessed(ctx, cfg, conn, topics); err != nil {
		return err
	}
	var report *verify.Report
	var progress verifyProgress
	err = m.newMeter("verifying", m.newScreen()).during(ctx, progress.reading, func() (err error) {
		report, err = verify.Run(ctx, verify.Options{
			Config: cfg, Topics: topics, Client: conn.client, Store: store, Tasks: o.tasks,
			Generation: generation, Avro: written, Schemas: r.Lookup(ctx),
			Memory: o.memory << 20, Progress: progress.reached,
		}, p.difference)
		return err
	})
	if err != nil {
		return errors.Join(unfinished(ctx, err), out.Flush())
	}
	if report.Differences > 0 {
		if p.notes, err = changedSince(ctx, cfg, conn, differs); err != nil {
			return errors.Join(err, out.Flush())
		}
	}
	if n := report.Replacing; n > 0 {
		if set, err := setInForce(ctx, conn, cfg, topics); err != nil || set == nil {
			return errors.Join(err, out.Flush(), fmt.Errorf("nobody knows by which definitions %d of %d tasks are computed: topic %s has none in force; "+
				"`traitstream definitions recover` writes them down again", n, topics.Tasks, topics.Control.Name))
		}
		p.notes = append(p.notes, fmt.Sprintf("definitions are being replaced, %d of %d tasks: "+
			"their records were checked and their traits not recomputed; verify again when `definitions list` says in force", n, topics.Tasks))
	}
	if err := errors.Join(p.report(report), out.Flush()); err != nil {
		return err
	}
	if report.Differences > 0 {
		return errReported
	}
	return nil
}

// verifiedTopics finds the topics, and checks that there is something to verify.
func verifiedTopics(ctx context.Context, cfg *config.Config, conn *connection, tasks []int32) (*kafka.Topics, error) {
	topics, err := kafka.EnsureTopics(ctx, conn.client, cfg, kafka.Creation{})
	if err != nil {
		return nil, err
	}
	if err := kafka.CheckMissing(ctx, conn.client, cfg, topics); err != nil {
		return nil, err
	}
	for _, t := range []kafka.Topic{topics.Traits, topics.Changelog, topics.Inbox} {
		if t.Missing {
			return nil, fmt.Errorf("there is nothing to verify: topic %s does not exist; run creates it", t.Name)
		}
	}
	for _, task := range tasks {
		if task < 0 || task >= topics.Tasks {
			return nil, usage("--task %d: the tasks are 0 to %d", task, topics.Tasks-1)
		}
	}
	return topics, nil
}

// verifyProgress is how far a verification is.
type verifyProgress struct{ last atomic.Pointer[reading] }

func (p *verifyProgress) reached(stage string, done, total int64) {
	p.last.Store(&reading{
		done: done, total: total, doing: stage + " ",
		words:      fmt.Sprintf(" %s of %s offsets", humanCount(done), humanCount(total)),
		attributes: []any{"stage", stage, "done", done, "of", total},
	})
}

func (p *verifyProgress) reading() (reading, bool) {
	if r := p.last.Load(); r != nil {
		return *r, true
	}
	return reading{}, false
}

// unfinished says that a verification came to no end.
func unfinished(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("stopped before all was compared: what was not printed may be right or wrong")
	}
	return fmt.Errorf("verifying: %w", err)
}

// openLocal opens the local state, or says why it is not there to be compared.
func openLocal(ctx context.Context, cfg *config.Config, conn *connection) (store *state.Store, absent string, err error) {
	for _, name := range []string{"stamp.json", "store"} {
		_, err := os.Stat(filepath.Join(cfg.State.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Sprintf("there is none in %s", cfg.State.Dir), nil
		}
	}
	metadata, err := kadm.NewClient(conn.client).BrokerMetadata(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("asking for the cluster's id: %w", kafka.Explain(err))
	}
	store, err = state.Open(state.Options{Dir: cfg.State.Dir, App: cfg.App, ClusterID: metadata.Cluster})
	if foreign := (*state.StampError)(nil); errors.Is(err, state.ErrLocked) || errors.As(err, &foreign) {
		return nil, err.Error(), nil
	}
	return store, "", err
}
