package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/processor"
	"traitstream/schemas"
	"traitstream/trait"
)

const (
	// applyInterval is how often it is looked whether the file's definitions can be put in
	// force.
	applyInterval = 2 * time.Second
	// inForceInterval is how often it is looked whether they are.
	inForceInterval = 500 * time.Millisecond
)

// fileApply puts the configuration's definitions in force, once, where run is to do so.
// It waits for other definitions that are on their way.
type fileApply struct {
	jobs    *processor.Jobs
	connect []kgo.Opt
	traits  []trait.Definition
	hash    string
	log     *slog.Logger
	// remember keeps that the process is in step with its file.
	remember func() error

	told       string        // why it was not possible
	settled    chan struct{} // closed when nothing is left to try
	generation uint32        // that they have then; 0: they were in force
}

// beside tries while run runs; a nil one has nothing to try.
func (f *fileApply) beside(ctx context.Context, run func(context.Context) error) error {
	if f == nil {
		return run(ctx)
	}
	trying, stop := context.WithCancel(ctx)
	var settling sync.WaitGroup
	settling.Go(func() { f.settle(trying) })
	defer settling.Wait()
	defer stop()
	return run(ctx)
}

// settle tries until nothing is left to try, or ctx ends.
func (f *fileApply) settle(ctx context.Context) {
	tick := time.NewTicker(applyInterval)
	defer tick.Stop()
	for !f.tryOnce(ctx) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tryOnce returns whether nothing is left to try. Why something is, is logged when it is
// another reason than before.
func (f *fileApply) tryOnce(ctx context.Context) bool {
	select {
	case <-f.settled:
		return true
	default:
	}
	err := f.try(ctx)
	if err == nil {
		err = f.remember()
	}
	switch {
	case err == nil:
		close(f.settled)
	case ctx.Err() == nil && err.Error() != f.told:
		f.told = err.Error()
		f.log.Warn("the definitions in the configuration can't be put in force now; going on with those in force, and trying again", "cause", err)
	}
	return err == nil
}

// try puts the definitions in force, unless they are or others are on their way.
func (f *fileApply) try(ctx context.Context) error {
	all, err := f.jobs.Generations(ctx)
	if err != nil {
		return err
	}
	current, _ := processor.InForce(all)
	switch way, ok := onTheWay(all); {
	case ok && way.Hash == f.hash:
		f.generation = way.Generation
		f.log.Info("the definitions in the configuration are on their way already", "generation", way.Generation)
		return nil
	case ok:
		return overlaps(way)
	case current.Hash == f.hash:
		f.log.Info("the definitions in the configuration are in force", "generation", current.Generation)
		return nil
	}
	d, err := f.jobs.Define(ctx, f.connect, processor.DefineRequest{Traits: f.traits, Reason: "run --apply", By: whoami()})
	if err != nil {
		return err
	}
	f.generation = d.Generation
	f.log.Info("the definitions in the configuration are computed from history, and take the place of those in force then", "generation", d.Generation)
	return nil
}

// wait waits until the definitions are in force; it is an error where they are given up.
func (f *fileApply) wait(ctx context.Context) error {
	select {
	case <-f.settled:
	case <-ctx.Done():
		return nil
	}
	tick := time.NewTicker(inForceInterval)
	defer tick.Stop()
	for f.generation > 0 {
		all, _ := f.jobs.Generations(ctx) // brokers that are away come back
		i := slices.IndexFunc(all, func(d schemas.Definitions) bool { return d.Generation == f.generation })
		switch {
		case i >= 0 && all[i].State == schemas.DefinitionsInForce:
			return nil
		case i >= 0 && all[i].State == schemas.DefinitionsCancelled:
			return fmt.Errorf("the definitions in the configuration, generation %d, were given up before they were in force", f.generation)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return nil
}
