package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/term"

	"traitstream/config"
	"traitstream/fleet"
	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/schemas"
	"traitstream/schemas/avro"
	"traitstream/state"
	"traitstream/trait"
)

// defaultConfig is read where it exists and no other file is named.
const defaultConfig = "traitstream.yaml"

// configPath returns the file that is read, or nothing.
func (m *Main) configPath() string {
	if m.configFile == "" {
		if _, err := os.Stat(defaultConfig); err == nil {
			return defaultConfig
		}
	}
	return m.configFile
}

// load reads the configuration.
func (m *Main) load() (*config.Config, error) {
	cfg, err := config.Load(m.configPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errUsage{err}
	}
	return cfg, err
}

// logger writes to out, which ends on standard error, for people on a terminal
// and JSON elsewhere.
func (m *Main) logger(out io.Writer) *slog.Logger {
	if isTerminal(m.Stderr) {
		return slog.New(slog.NewTextHandler(out, nil))
	}
	return slog.New(slog.NewJSONHandler(out, nil))
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// connection is a client that has reached the cluster.
type connection struct {
	client  *kgo.Client
	options []kgo.Opt // how it was reached
}

// fleet is an app as it is seen over the connection.
func (c *connection) fleet(cfg *config.Config, topics *kafka.Topics) *fleet.Fleet {
	return &fleet.Fleet{Client: c.client, Config: cfg, Topics: topics}
}

// connect reaches the brokers of a configuration. The caller closes the client.
func connect(ctx context.Context, cfg *config.Config, more ...kgo.Opt) (*connection, error) {
	options, err := kafka.Options(cfg.Kafka)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, options...), more...)...)
	if err != nil {
		return nil, fmt.Errorf("setting up the Kafka client: %w", err)
	}
	if err := kafka.Connect(ctx, client); err != nil {
		client.Close()
		return nil, err
	}
	return &connection{client: client, options: options}, nil
}

// app is what the processor stands on.
type app struct {
	cfg        *config.Config
	traits     *trait.Set // in force, of a generation
	generation uint32
	fileHash   string     // of the definitions that the configuration has
	applies    *fileApply // puts the configuration's definitions in force; nil: they are, or are not to be
	topics     *kafka.Topics
	store      *state.Store
	conn       *connection
	registry   *prometheus.Registry
	log        *slog.Logger
	instance   *processor.Instance
	avro       *schemas.Avro // how the traits topic is written; nil: in JSON
	schemas    avro.Lookup
}

// appOptions are how a command wants its app.
type appOptions struct {
	create     kafka.Creation
	inMemory   bool // no state folder
	resetState bool
	apply      bool // the configuration's definitions, where others are in force
	embedded   bool // the broker's memory is this process's too, and has no bound
}

// newApp connects, makes sure of the topics and opens the state.
func newApp(ctx context.Context, cfg *config.Config, log *slog.Logger, o appOptions) (_ *app, err error) {
	a := &app{cfg: cfg, registry: prometheus.NewRegistry(), log: log}
	defer func() {
		if err != nil {
			_ = a.close() // the first error is the one to tell
		}
	}()
	if a.conn, err = connect(ctx, cfg); err != nil {
		return nil, err
	}
	if a.topics, err = kafka.EnsureTopics(ctx, a.conn.client, cfg, o.create); err != nil {
		return nil, err
	}
	for _, w := range a.topics.Warnings {
		log.Warn(w)
	}
	file, err := a.useDefinitions(ctx)
	if err != nil {
		return nil, err
	}
	r, err := newRegistry(cfg.Registry, log)
	if err != nil {
		return nil, err
	}
	a.schemas = r.Lookup(ctx)
	if a.avro, err = claimOutput(ctx, cfg, a.conn.client, a.topics.Traits, r, log); err != nil {
		return nil, err
	}
	if err := a.openState(ctx, o); err != nil {
		return nil, err
	}
	return a, a.applyFile(ctx, file, o.apply)
}

// openState opens the state folder, which belongs to this app and cluster.
func (a *app) openState(ctx context.Context, o appOptions) error {
	metadata, err := kadm.NewClient(a.conn.client).BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("asking for the cluster's id: %w", kafka.Explain(err))
	}
	if o.resetState {
		if err := state.Remove(a.cfg.State.Dir); err != nil {
			return fmt.Errorf("resetting state: %w", err)
		}
	}
	// Half of the memory for what was used last, half for what lies before the disk.
	half, workers := a.cfg.State.Memory/2, processor.Workers(a.cfg, a.topics.Tasks)
	if !o.embedded {
		limitMemory(a.cfg.State.Memory, workers)
	}
	a.store, err = state.Open(state.Options{
		Dir: a.cfg.State.Dir, App: a.cfg.App, ClusterID: metadata.Cluster, Logger: a.log, InMemory: o.inMemory,
		CacheBytes: half, RecordBytes: int(half) / workers,
	})
	if err != nil {
		return err
	}
	dir := a.cfg.State.Dir
	if o.inMemory {
		dir = ""
	}
	if a.instance, err = processor.OpenInstance(dir); err != nil {
		return err
	}
	return nil
}

// processor returns one over the app, which others reach at an address, if any.
// More options are of its workers' clients.
func (a *app) processor(http string, leave bool, more ...kgo.Opt) *processor.Processor {
	p := processor.New(processor.Options{
		Fleet: *a.conn.fleet(a.cfg, a.topics), Traits: a.traits, Generation: a.generation, Store: a.store,
		Connect: append(slices.Clone(a.conn.options), more...),
		Metrics: processor.NewMetrics(a.registry), Log: a.log,
		Avro: a.avro, Schemas: a.schemas,
		Instance: a.instance, HTTP: http, Leave: leave,
	})
	a.registry.MustRegister(inForceMetric{a.fileHash, p.InForce})
	return p
}

// close closes the state and then the connection.
func (a *app) close() error {
	var err error
	if a.store != nil {
		err = a.store.Close()
	}
	if a.conn != nil {
		a.conn.client.Close()
	}
	return err
}
