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
	Traits []trait.Definition
	Rate   int64 // records of history a second, all tasks together; 0: no bound
	// Base is the generation that must be in force, since the wish was made by what it
	// comes to against that; nil: any.
	Base       *uint32
	Reason, By string
}

// ErrOverlap says that other definitions are on their way already.
var ErrOverlap = errors.New("other definitions are on their way already: wait until they are in force, or cancel them")

// ErrOvertaken says that another one has written definitions or jobs at the same time.
var ErrOvertaken = errors.New("another command of this app, or a process, has written definitions or jobs meanwhile: " +
	"look how they are (`traitstream definitions history`, `replay list`), and try again")

// Generations returns the definitions that the control topic has, oldest first.
func (j *Jobs) Generations(ctx context.Context) ([]schemas.Definitions, error) {
	if err := j.read(ctx); err != nil {
		return nil, err
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
	var d schemas.Definitions
	err := j.o.transact(ctx, connect, func() (_ []*kgo.Record, err error) {
		if d, err = j.following(ctx, r); err != nil {
			return nil, err
		}
		job := schemas.Job{
			ID: d.JobID(), State: schemas.JobRunning, Emit: schemas.EmitDefine, Generation: d.Generation, Rate: r.Rate,
			Reason: r.Reason, By: r.By, Created: d.Created, Changed: d.Created,
		}
		return append(j.o.commands(schemas.Define, d.Generation), j.o.controlRecords(&d, &job)...), nil
	})
	return &d, err
}

// following returns the generation that comes next.
func (j *Jobs) following(ctx context.Context, r DefineRequest) (d schemas.Definitions, err error) {
	all, err := j.Generations(ctx)
	if err != nil {
		return d, err
	}
	inForce, _ := InForce(all)
	if r.Base != nil && inForce.Generation != *r.Base {
		return d, fmt.Errorf("generation %d is in force by now, and no longer %d: look at what changes against that", inForce.Generation, *r.Base)
	}
	d = schemas.Definitions{State: schemas.DefinitionsPreparing, Base: inForce.Generation, Reason: r.Reason, By: r.By, Created: time.Now().UnixMilli()}
	for _, other := range all {
		if other.State == schemas.DefinitionsPreparing || other.State == schemas.DefinitionsSwitching {
			return d, fmt.Errorf("generation %d: %w", other.Generation, ErrOverlap)
		}
		d.Generation = max(d.Generation, other.Generation)
	}
	d.Generation++
	d.Changed = d.Created
	d.Traits, d.Hash, err = config.Definitions(r.Traits)
	return d, err
}

// Undefine gives definitions up that are on their way.
func (j *Jobs) Undefine(ctx context.Context, connect []kgo.Opt, generation uint32) error {
	return j.o.transact(ctx, connect, func() ([]*kgo.Record, error) {
		all, err := j.Generations(ctx)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(d schemas.Definitions) bool { return d.Generation == generation })
		if i < 0 || all[i].State != schemas.DefinitionsPreparing {
			return nil, fmt.Errorf("generation %d of the definitions is not being prepared", generation)
		}
		d := all[i]
		d.State, d.Changed = schemas.DefinitionsCancelled, time.Now().UnixMilli()
		job, _ := j.o.jobs.step(generation, j.o.Topics.Tasks)
		if job != nil {
			job.State, job.Changed = schemas.JobCancelled, d.Changed
		}
		return append(j.o.commands(schemas.Undefine, generation), j.o.controlRecords(&d, job)...), nil
	})
}

// controlRecords are those of a generation and, unless it is nil, its job.
func (o *Options) controlRecords(d *schemas.Definitions, job *schemas.Job) []*kgo.Record {
	records := []*kgo.Record{{Topic: o.Topics.Control.Name, Key: d.Key(), Value: d.Value()}}
	if job != nil {
		records = append(records, &kgo.Record{Topic: o.Topics.Control.Name, Key: job.Key(), Value: job.Value()})
	}
	return records
}

// transact writes records that are seen by all or by none; decide tells which, nothing if
// there is nothing to do. It is asked when whatever others have written is decided, and
// who begins after that shuts this one out, so what it finds still holds when it is written.
func (o *Options) transact(ctx context.Context, connect []kgo.Opt, decide func() ([]*kgo.Record, error)) error {
	cl, err := kgo.NewClient(append(slices.Clone(connect),
		kgo.TransactionalID(o.commandID()), kgo.TransactionTimeout(transactionTimeout), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return fmt.Errorf("setting up the Kafka client: %w", err)
	}
	defer cl.Close()
	if _, _, err := cl.ProducerID(ctx); err != nil {
		return fmt.Errorf("taking the transactional id %s: %w", o.commandID(), kafka.Explain(err))
	}
	records, err := decide()
	if err != nil || len(records) == 0 {
		return err
	}
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
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.InvalidProducerIDMapping),
		errors.Is(err, kerr.InvalidTxnState):
		return fmt.Errorf("%w (%w)", ErrOvertaken, err)
	case err != nil:
		return fmt.Errorf("writing definitions or jobs down: %w", kafka.Explain(err))
	}
	return nil
}

// Begin puts the configuration's definitions in force where the control topic has
// none, and no process that runs knows what it had. Of several processes that start for
// the first time, one does so.
func (j *Jobs) Begin(ctx context.Context, connect []kgo.Opt) error {
	all, err := j.Generations(ctx)
	if err == nil && len(all) == 0 {
		all, err = j.retold(ctx)
	}
	if err != nil || len(all) > 0 {
		return err
	}
	if err := j.o.unlost(ctx); err != nil {
		return err
	}
	return untilInTurn(ctx, func() error { return j.o.transact(ctx, connect, func() ([]*kgo.Record, error) { return j.first(ctx) }) })
}

// first returns the definitions to begin with, nothing where there are some by now.
func (j *Jobs) first(ctx context.Context) ([]*kgo.Record, error) {
	all, err := j.Generations(ctx)
	if err != nil || len(all) > 0 {
		return nil, err
	}
	now := time.Now().UnixMilli()
	d := schemas.Definitions{State: schemas.DefinitionsInForce, Created: now, Changed: now}
	d.Traits, d.Hash, err = config.Definitions(j.o.Config.Traits)
	return j.o.controlRecords(&d, nil), err
}
