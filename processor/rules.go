package processor

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/schemas"
)

// rules are those by which the process reads impressions. Their text is kept in
// the control topic, under their hash, as long as marks may name it: a restore
// under another configuration reads by the rules of the mark.
type rules struct {
	hash string // empty: not published, so nothing refers to them
}

// publishRules sees to it that the process's rules are in the control topic. It
// waits for brokers that are away.
func (o *Options) publishRules(ctx context.Context) error {
	for failures := 0; ; failures++ {
		err := o.tryPublishRules(ctx)
		if err == nil || !retriable(err) {
			return err
		}
		o.Log.Warn("sources and traits can't be written down now; trying again", "cause", err, "in", backoff(failures).String())
		if !sleep(ctx, backoff(failures)) {
			return ctx.Err()
		}
	}
}

func (o *Options) tryPublishRules(ctx context.Context) error {
	hash, err := o.publish(ctx, o.Config)
	if err == nil {
		o.rules = rules{hash}
	}
	return err
}

// publish sees to it that the rules of a configuration are in the control topic, and
// returns their hash.
func (o *Options) publish(ctx context.Context, c *config.Config) (string, error) {
	text, hash, err := c.Rules()
	if err != nil {
		return "", err
	}
	there, err := o.lookUpRules(ctx, hash)
	if err != nil || there != nil {
		return hash, err
	}
	r := &kgo.Record{Topic: o.Topics.Control.Name, Key: schemas.RulesKey(hash), Value: text}
	if err := o.put(ctx, r); err != nil {
		return "", fmt.Errorf("writing down sources and traits in %s: %w", o.Topics.Control.Name, kafka.Explain(err))
	}
	return hash, nil
}

// putTimeout is how long the brokers may take for a record until it is told that
// they are waited for.
const putTimeout = 10 * time.Second

// put produces records, and gives up waiting for them when ctx ends: the client
// goes on with one that a broker may have, whatever becomes of ctx.
func (o *Options) put(ctx context.Context, records ...*kgo.Record) error {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	done := make(chan error, len(records))
	for _, r := range records {
		o.Client.Produce(ctx, r, func(_ *kgo.Record, err error) { done <- err })
	}
	for range records {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// lookUpRules returns the text of some rules, nil if the control topic has none
// of that hash.
func (o *Options) lookUpRules(ctx context.Context, hash string) (text []byte, err error) {
	key := string(schemas.RulesKey(hash))
	start, end, err := o.LogRange(ctx, o.Topics.Control.Name, 0)
	if err != nil {
		return nil, err
	}
	err = kafka.ReadPartition(ctx, o.Client, o.Topics.Control.Name, 0, start, end, func(r *kgo.Record) error {
		if string(r.Key) == key {
			text = r.Value
		}
		return nil
	})
	return text, err
}

// under returns the options of a reader by other rules, which warns of nothing:
// whoever ran under them has.
func (o *Options) under(ctx context.Context, hash string) (*Options, error) {
	other := *o
	other.Log = slog.New(slog.DiscardHandler)
	if hash == o.rules.hash {
		return &other, nil
	}
	text, err := o.lookUpRules(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("looking up by which rules impressions were read: %w", err)
	}
	if text == nil {
		return nil, fmt.Errorf("the rules %s by which impressions were last read are not in topic %s: "+
			"start once with sources and traits as they were before, stop, and start again with the new ones", hash, o.Topics.Control.Name)
	}
	c, err := config.Parse("rules "+hash, text, func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, fmt.Errorf("reading the rules %s by which impressions were last read: %w", hash, err)
	}
	of := *o.Config
	of.Sources, of.Traits, of.Set, of.Processor.MaxClockAhead = c.Sources, c.Traits, c.Set, c.Processor.MaxClockAhead
	other.Config, other.Traits = &of, c.Set
	return &other, nil
}
