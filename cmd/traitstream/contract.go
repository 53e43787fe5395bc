package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/schemas/registry"
)

// newRegistry returns a client of the schema registry. It does not ask anything.
func newRegistry(c config.SchemaRegistry, log *slog.Logger) (*registry.Client, error) {
	o := registry.Options{
		URLs: c.URLs, User: c.User, Password: c.Password, Token: c.Token, Timeout: c.Timeout, Log: log,
	}
	if c.TLS != nil {
		var err error
		if o.TLS, err = kafka.TLS("schema_registry.tls", *c.TLS); err != nil {
			return nil, err
		}
	}
	return registry.New(o)
}

// claimOutput sees to it that the registry has the schemas of the traits topic,
// and that the topic's keys are those that will be written. It returns nil where
// the output is JSON.
func claimOutput(ctx context.Context, cfg *config.Config, cl *kgo.Client, topic kafka.Topic, r *registry.Client, log *slog.Logger) (out *schemas.Avro, err error) {
	if cfg.Output.Format == config.Avro {
		key, value, err := r.Register(ctx, topic.Name, schemas.KeyAvro, schemas.ValueAvro)
		if err != nil {
			return nil, err
		}
		out = schemas.NewAvro(key, value, r.Lookup(ctx))
	}
	return out, checkOutput(ctx, cl, topic, out, log)
}

// knownOutput is claimOutput for who writes nothing: schemas that are not
// registered yet are an error.
func knownOutput(ctx context.Context, cfg *config.Config, topic kafka.Topic, r *registry.Client) (*schemas.Avro, error) {
	if cfg.Output.Format != config.Avro {
		return nil, nil
	}
	key, value, err := r.Find(ctx, topic.Name, schemas.KeyAvro, schemas.ValueAvro)
	if err != nil {
		return nil, err
	}
	return schemas.NewAvro(key, value, r.Lookup(ctx)), nil
}

// checkOutput compares a key that the topic holds with those that will be
// written. One tells of all: they were written under the same check.
func checkOutput(ctx context.Context, cl *kgo.Client, topic kafka.Topic, out *schemas.Avro, log *slog.Logger) error {
	if topic.Missing {
		return nil
	}
	r, err := firstRecord(ctx, cl, topic.Name, log)
	if r == nil || err != nil {
		return err
	}
	if err := out.CheckKey(r.Key); err != nil {
		return fmt.Errorf("topic %s (partition %d, offset %d) does not fit this configuration: %w", r.Topic, r.Partition, r.Offset, err)
	}
	return nil
}

// errEnough ends a read.
var errEnough = errors.New("enough")

// The waits between two looks for a first record.
const (
	shortLook = 100 * time.Millisecond
	longLook  = 2 * time.Second
)

// firstRecord returns the first record of the first partition that has one, of
// those that are decided; nil if there is none. It waits for partitions whose
// leaders are away, unless another one has a record.
func firstRecord(ctx context.Context, cl *kgo.Client, topic string, log *slog.Logger) (*kgo.Record, error) {
	for wait := shortLook; ; wait = min(2*wait, longLook) {
		r, err := firstKnown(ctx, cl, topic)
		var code *kerr.Error
		if r != nil || err == nil || ctx.Err() != nil || errors.As(err, &code) && !code.Retriable {
			return r, err
		}
		if wait == shortLook {
			log.Warn("waiting to look at what the topic holds", "topic", topic, "cause", err)
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

// firstKnown looks once. An error says that there is no record where it could look.
func firstKnown(ctx context.Context, cl *kgo.Client, topic string) (first *kgo.Record, err error) {
	adm := kadm.NewClient(cl)
	starts, startErr := adm.ListStartOffsets(ctx, topic)
	ends, endErr := adm.ListCommittedOffsets(ctx, topic)
	for _, number := range slices.Sorted(maps.Keys(ends[topic])) {
		end := ends[topic][number]
		start, ok := starts.Lookup(topic, number)
		if !ok || start.Err != nil || end.Err != nil {
			continue
		}
		err := kafka.ReadPartition(ctx, cl, topic, number, start.Offset, end.Offset, func(r *kgo.Record) error {
			first = r
			return errEnough
		})
		if first != nil {
			return first, nil
		}
		if err != nil {
			return nil, err
		}
	}
	if err := errors.Join(startErr, endErr, starts.Error(), ends.Error()); err != nil {
		return nil, fmt.Errorf("looking up offsets: %w", kafka.Explain(err))
	}
	return nil, nil
}
