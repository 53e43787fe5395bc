package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kadm"
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
func claimOutput(ctx context.Context, cfg *config.Config, cl *kgo.Client, topic kafka.Topic, r *registry.Client) (out *schemas.Avro, err error) {
	if cfg.Output.Format == config.Avro {
		key, value, err := r.Register(ctx, topic.Name, schemas.KeyAvro, schemas.ValueAvro)
		if err != nil {
			return nil, err
		}
		out = schemas.NewAvro(key, value, r.Lookup(ctx))
	}
	return out, checkOutput(ctx, cl, topic, out)
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
func checkOutput(ctx context.Context, cl *kgo.Client, topic kafka.Topic, out *schemas.Avro) error {
	if topic.Missing {
		return nil
	}
	r, err := firstRecord(ctx, cl, topic.Name)
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

// firstRecord returns the first record of the first partition that has one, of
// those that are decided; nil if there is none.
func firstRecord(ctx context.Context, cl *kgo.Client, topic string) (first *kgo.Record, err error) {
	adm := kadm.NewClient(cl)
	starts, err := listed(adm.ListStartOffsets(ctx, topic))
	if err != nil {
		return nil, err
	}
	ends, err := listed(adm.ListCommittedOffsets(ctx, topic))
	if err != nil {
		return nil, err
	}
	for _, end := range ends.Offsets().Sorted() {
		start, ok := starts.Lookup(topic, end.Partition)
		if !ok {
			continue // it was added in between
		}
		err := kafka.ReadPartition(ctx, cl, topic, end.Partition, start.Offset, end.At, func(r *kgo.Record) error {
			first = r
			return errEnough
		})
		if err != nil && first == nil {
			return nil, err
		}
		if first != nil {
			return first, nil
		}
	}
	return nil, nil
}
