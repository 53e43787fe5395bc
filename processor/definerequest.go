package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/trait"
)

// DefineRequest says which definitions are to be in force, and whose wish it is.
type DefineRequest struct {
	Traits     []trait.Definition
	Rate       int64 // records of history a second, all tasks together; 0: no bound
	Reason, By string
}

// ErrOverlap says that other definitions are on their way already.
var ErrOverlap = errors.New("other definitions are on their way already: wait until they are in force, or cancel them")

// Generations returns the definitions that the control topic has, oldest first.
func (j *Jobs) Generations(ctx context.Context) ([]schemas.Definitions, error) {
	if err := j.o.readJobs(ctx); err != nil {
		return nil, fmt.Errorf("reading %s: %w", j.o.Topics.Control.Name, kafka.Explain(err))
	}
	return j.o.jobs.records(), nil
}

func (j *jobs) records() (all []schemas.Definitions) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, g := range j.generations {
		all = append(all, g.record)
	}
	slices.SortFunc(all, func(a, b schemas.Definitions) int { return int(int64(a.Generation) - int64(b.Generation)) })
	return all
}

// InForce returns the definitions in force among all, false if there are none.
func InForce(all []schemas.Definitions) (d schemas.Definitions, ok bool) {
	for _, of := range all {
		if of.State == schemas.DefinitionsInForce {
			d, ok = of, true
		}
	}
	return d, ok
}

// Define has the tasks compute other definitions beside those in force, and go over to
// them when that is done. What is written is seen by all or by none: a task that has
// heard of the definitions sends on what only they want.
func (j *Jobs) Define(ctx context.Context, connect []kgo.Opt, r DefineRequest) (*schemas.Definitions, error) {
	all, err := j.Generations(ctx)
	if err != nil {
		return nil, err
	}
	inForce, _ := InForce(all)
	d := schemas.Definitions{State: schemas.DefinitionsPreparing, Base: inForce.Generation, Reason: r.Reason, By: r.By, Created: time.Now().UnixMilli()}
	for _, other := range all {
		if other.State == schemas.DefinitionsPreparing || other.State == schemas.DefinitionsSwitching {
			return nil, fmt.Errorf("generation %d: %w", other.Generation, ErrOverlap)
		}
		d.Generation = max(d.Generation, other.Generation)
	}
	d.Generation++
	d.Changed = d.Created
	if d.Traits, d.Hash, err = config.Definitions(r.Traits); err != nil {
		return nil, err
	}
	job := schemas.Job{
		ID: d.JobID(), State: schemas.JobRunning, Emit: schemas.EmitDefine, Generation: d.Generation, Rate: r.Rate,
		Reason: r.Reason, By: r.By, Created: d.Created, Changed: d.Created,
	}
	control := j.o.Topics.Control.Name
	records := append(j.o.commands(schemas.Define, d.Generation),
		&kgo.Record{Topic: control, Key: d.Key(), Value: d.Value()}, &kgo.Record{Topic: control, Key: job.Key(), Value: job.Value()})
	return &d, j.o.transact(ctx, connect, records)
}

// Undefine gives definitions up that are on their way.
func (j *Jobs) Undefine(ctx context.Context, connect []kgo.Opt, generation uint32) error {
	all, err := j.Generations(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(d schemas.Definitions) bool { return d.Generation == generation })
	if i < 0 || all[i].State != schemas.DefinitionsPreparing {
		return fmt.Errorf("generation %d of the definitions is not being prepared", generation)
	}
	d := all[i]
	d.State, d.Changed = schemas.DefinitionsCancelled, time.Now().UnixMilli()
	control := j.o.Topics.Control.Name
	records := append(j.o.commands(schemas.Undefine, generation), &kgo.Record{Topic: control, Key: d.Key(), Value: d.Value()})
	for _, job := range sorted(j.o.jobs.known) {
		if job.ID == d.JobID() {
			over := *job
			over.State, over.Changed = schemas.JobCancelled, d.Changed
			records = append(records, &kgo.Record{Topic: control, Key: over.Key(), Value: over.Value()})
		}
	}
	return j.o.transact(ctx, connect, records)
}

// transact writes records that are seen by all or by none.
func (o *Options) transact(ctx context.Context, connect []kgo.Opt, records []*kgo.Record) error {
	cl, err := kgo.NewClient(append(slices.Clone(connect),
		kgo.TransactionalID(o.Config.App+"-apply"), kgo.TransactionTimeout(transactionTimeout), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return fmt.Errorf("setting up the Kafka client: %w", err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", kafka.Explain(err))
	}
	err = cl.ProduceSync(ctx, records...).FirstErr()
	end := kgo.TryCommit
	if err != nil {
		end = kgo.TryAbort
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*transactionTimeout)
	defer cancel()
	if ended := cl.EndTransaction(ctx, end); err == nil {
		err = ended
	}
	switch {
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.InvalidProducerIDMapping):
		return fmt.Errorf("%w: another apply of this app has begun meanwhile (`traitstream definitions history` tells)", err)
	case err != nil:
		return fmt.Errorf("writing definitions down: %w", kafka.Explain(err))
	}
	return nil
}

// Begin puts the configuration's definitions in force where the control topic has
// none.
func (j *Jobs) Begin(ctx context.Context) error {
	all, err := j.Generations(ctx)
	if err != nil || len(all) > 0 {
		return err
	}
	now := time.Now().UnixMilli()
	d := schemas.Definitions{State: schemas.DefinitionsInForce, Created: now, Changed: now}
	if d.Traits, d.Hash, err = config.Definitions(j.o.Config.Traits); err != nil {
		return err
	}
	if err := j.o.put(ctx, &kgo.Record{Topic: j.o.Topics.Control.Name, Key: d.Key(), Value: d.Value()}); err != nil {
		return fmt.Errorf("writing definitions to %s: %w", j.o.Topics.Control.Name, kafka.Explain(err))
	}
	return nil
}
