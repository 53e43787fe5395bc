package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/schemas"
	"traitstream/trait"
)

// setInForce returns the definitions in force; nil where there are none.
func setInForce(ctx context.Context, conn *connection, cfg *config.Config, topics *kafka.Topics) (*trait.Set, error) {
	if topics.Control.Missing {
		return nil, nil
	}
	all, err := processor.NewJobs(conn.client, cfg, topics).Generations(ctx)
	if err != nil {
		return nil, err
	}
	d, ok := processor.InForce(all)
	if !ok {
		return nil, nil
	}
	_, set, err := parseGeneration(d)
	return set, err
}

// inForce makes a configuration's traits those that are in force, if there are any,
// and tells their generation and whether the file had others.
func inForce(ctx context.Context, conn *connection, cfg *config.Config, topics *kafka.Topics) (generation uint32, differs bool, err error) {
	if topics.Control.Missing {
		return 0, false, nil
	}
	all, err := processor.NewJobs(conn.client, cfg, topics).Generations(ctx)
	if err != nil {
		return 0, false, err
	}
	d, ok := processor.InForce(all)
	if !ok {
		return 0, false, nil
	}
	_, hash, err := config.Definitions(cfg.Traits)
	if err != nil {
		return 0, false, err
	}
	traits, set, err := parseGeneration(d)
	if err != nil {
		return 0, false, err
	}
	cfg.Traits, cfg.Set = traits, set
	return d.Generation, hash != d.Hash, nil
}

// parseGeneration reads the definitions of a generation.
func parseGeneration(d schemas.Definitions) ([]trait.Definition, *trait.Set, error) {
	traits, set, err := config.ParseDefinitions(d.Traits)
	if err != nil {
		return nil, nil, fmt.Errorf("reading generation %d of the definitions: %w", d.Generation, err)
	}
	return traits, set, nil
}

// useDefinitions has the app run by the definitions in force. Where there are none,
// as at the first start, those of the file come into force. It returns those of the file
// where they are others, else nil.
func (a *app) useDefinitions(ctx context.Context) (file *fileApply, err error) {
	jobs := processor.NewJobs(a.conn.client, a.cfg, a.topics)
	if err := jobs.Begin(ctx, a.conn.options); err != nil {
		return nil, err
	}
	traits := a.cfg.Traits
	if _, a.fileHash, err = config.Definitions(traits); err != nil {
		return nil, err
	}
	var differs bool
	if a.generation, differs, err = inForce(ctx, a.conn, a.cfg, a.topics); err != nil {
		return nil, err
	}
	if a.traits = a.cfg.Set; differs {
		file = &fileApply{jobs: jobs, connect: a.conn.options, traits: traits, hash: a.fileHash, log: a.log, remember: a.keepInStep, settled: make(chan struct{})}
	}
	return file, nil
}

// inStep names in a state folder the hash of the file's definitions that were in force,
// or put in force, when this process last started.
const inStep = "definitions in step"

func (a *app) keepInStep() error { return a.store.SetMeta(inStep, []byte(a.fileHash)) }

// applyFile begins to put the file's definitions in force where others are, if that is
// wished for: always, or where the file has changed. A process with an old file, which
// starts again while a new one is rolled out, must not put it back.
func (a *app) applyFile(ctx context.Context, file *fileApply, always bool) error {
	if file == nil {
		return a.keepInStep()
	}
	if !always && a.cfg.Definitions.OnChange != config.Apply {
		a.log.Warn("the definitions in the configuration are not those in force; going on with those in force: "+
			"`traitstream apply` puts the file's in force, and so does run --apply", "generation", a.generation)
		return nil
	}
	last, err := a.store.Meta(inStep)
	if err != nil {
		return err
	}
	if !always && string(last) == a.fileHash {
		a.log.Warn("other definitions were put in force since, and the file has not changed; going on with those in force: "+
			"`traitstream apply` puts the file's back, and so does run --apply", "generation", a.generation)
		return nil
	}
	a.applies = file
	file.tryOnce(ctx)
	return nil
}

// inForceMetric tells which definitions are in force, and whether the configuration
// file has the same.
type inForceMetric struct {
	file string // the hash of the file's
	ask  func() (generation uint32, hash string, ok bool)
}

var inForceDesc = prometheus.NewDesc("traitstream_definitions_in_force",
	"Generation of the definitions in force, by whether the configuration file has the same.", []string{"in_sync"}, nil)

// Describe implements prometheus.Collector.
func (inForceMetric) Describe(to chan<- *prometheus.Desc) { to <- inForceDesc }

// Collect implements prometheus.Collector.
func (m inForceMetric) Collect(to chan<- prometheus.Metric) {
	if generation, hash, ok := m.ask(); ok {
		to <- prometheus.MustNewConstMetric(inForceDesc, prometheus.GaugeValue, float64(generation), strconv.FormatBool(hash == m.file))
	}
}

// stateWord tells how a generation is, where another one is in force.
func stateWord(d schemas.Definitions, inForce uint32) string {
	if d.State == schemas.DefinitionsInForce && d.Generation != inForce {
		return replaced
	}
	return generationWords[d.State]
}

// replaced is what a generation is that was in force.
const replaced = "replaced"

// generationWords are the states of generations for people.
var generationWords = map[schemas.DefinitionsState]string{
	schemas.DefinitionsPreparing: "preparing",
	schemas.DefinitionsSwitching: "switching",
	schemas.DefinitionsInForce:   "in force",
	schemas.DefinitionsCancelled: "cancelled",
}
