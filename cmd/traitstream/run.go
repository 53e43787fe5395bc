package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/processor"
)

// createdPartitions is what a source gets that a command has to
// create, unless output.partitions tells.
const createdPartitions = 4

type runOptions struct {
	embedded       bool
	embeddedListen string
	untilCaughtUp  bool
	leave          bool
	resetState     bool
	apply          bool
}

func (m *Main) runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run",
		Short: "Process impressions until it is stopped",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			if !o.embedded && c.Flags().Changed("embedded-listen") {
				return usage("--embedded-listen goes with --embedded")
			}
			return m.run(c.Context(), cfg, o)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.embedded, "embedded", false, "bring a Kafka broker along, kept in state.dir; for trying, not for production data")
	f.StringVar(&o.embeddedListen, "embedded-listen", "127.0.0.1:9092", "`ADDRESS` of the embedded broker")
	f.BoolVar(&o.untilCaughtUp, "until-caught-up", false, "stop when all that stands in the sources now is processed, and leave the group")
	f.BoolVar(&o.leave, "leave", false, "give up the seat in the group when stopped")
	f.BoolVar(&o.apply, "apply", false, "put the configuration's definitions in force, where others are; see the command apply")
	f.BoolVar(&o.resetState, "reset-state", false, "delete the local state first and rebuild it from the changelog")
	return c
}

// run processes until ctx ends or, if that is asked for, all is processed.
func (m *Main) run(ctx context.Context, cfg *config.Config, o runOptions) (err error) {
	screen := m.newScreen()
	log := m.logger(screen)
	defer func() {
		if err == nil {
			log.Info("stopped", "app", cfg.App)
		}
	}()
	create := kafka.Creation{Own: true}
	if o.embedded {
		create.Sources = createdPartitions
		broker, err := kafka.StartEmbedded(kafka.EmbeddedOptions{
			Dir: filepath.Join(cfg.State.Dir, "kafka"), Listen: o.embeddedListen,
		})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, broker.Close()) }()
		cfg.Kafka = config.Kafka{Brokers: broker.Brokers(), ReplicationFactor: -1}
		log.Info("the embedded broker runs; it is for trying, not for production data", "address", broker.Brokers()[0])
	}
	a, err := newApp(ctx, cfg, log, appOptions{create: create, resetState: o.resetState, apply: o.apply, embedded: o.embedded})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()

	server, err := listenHTTP(cfg.HTTP.Listen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.close()) }()
	tracing, err := startTracing(ctx, cfg.App, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := tracing.close(); err != nil {
			log.Warn("the last spans are lost", "error", err)
		}
	}()
	p := a.processor(server.advertised(cfg.HTTP.Advertise), o.leave || o.untilCaughtUp || cfg.Processor.LeaveOnStop, tracing.options()...)
	restoration := newRestoration(p.Tasks)
	server.serve(a, p, restoration)

	log.Info("running", "app", cfg.App, "tasks", a.topics.Tasks, "instance", a.instance.Name, "http", server.address)
	return m.newMeter("restoring state", screen).during(ctx, restoration.reading, func() error {
		return a.applies.beside(ctx, func(ctx context.Context) error {
			if o.untilCaughtUp {
				return runUntilCaughtUp(ctx, p, a.applies)
			}
			return p.Run(ctx)
		})
	})
}

// runUntilCaughtUp runs a processor and stops it when all is processed, and the
// definitions are in force that it was started to apply.
func runUntilCaughtUp(ctx context.Context, p *processor.Processor, applies *fileApply) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	waited := make(chan error, 1)
	go func() {
		defer stop()
		err := p.WaitUntilCaughtUp(running)
		if err == nil && applies != nil {
			err = applies.wait(running)
		}
		waited <- err
	}()
	err := p.Run(running)
	stop()
	if err = errors.Join(err, <-waited); err == nil && ctx.Err() != nil {
		err = errors.New("stopped before all was processed; what was not committed is read again")
	}
	return err
}
