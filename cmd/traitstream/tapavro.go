package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/schemas"
	"traitstream/schemas/avro"
)

// avroReader returns what turns a record's key and value into JSON where they are
// Avro. What can't be read stays as it is; a registry that does not answer is told
// once and not asked again.
func (m *Main) avroReader(ctx context.Context, cfg *config.Config) (func(*kgo.Record) *kgo.Record, error) {
	r, err := newRegistry(cfg.Registry, m.logger(m.Stderr))
	if err != nil {
		return nil, err
	}
	ask, away := r.Lookup(ctx), false
	find := func(id avro.ID) (*avro.Schema, error) {
		if away {
			return nil, avro.ErrAway
		}
		s, err := ask(id)
		if errors.Is(err, avro.ErrAway) && ctx.Err() == nil {
			away = true
			fmt.Fprintf(m.Stderr, "Avro is printed as it is: %v\n", err)
		}
		return s, err
	}
	plain := func(data, header []byte) []byte {
		if text, err := schemas.AppendPlainJSON(nil, data, header, find); err == nil {
			return text
		}
		return data
	}
	return func(r *kgo.Record) *kgo.Record {
		shown := *r
		shown.Key = plain(r.Key, headerOf(r, avro.HeaderKeySchema))
		shown.Value = plain(r.Value, headerOf(r, avro.HeaderValueSchema))
		return &shown
	}, nil
}

// headerOf returns the last header of a name, nil if there is none.
func headerOf(r *kgo.Record, name string) []byte {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == name {
			return r.Headers[i].Value
		}
	}
	return nil
}
