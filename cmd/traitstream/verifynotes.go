package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/state"
)

// unprocessed counts the records of the sources that lie beyond the group's
// committed offsets.
func unprocessed(ctx context.Context, cfg *config.Config, conn *connection, topics *kafka.Topics) (records int64, err error) {
	inputs, err := processor.Inputs(ctx, conn.client, cfg, topics)
	if err != nil {
		return 0, err
	}
	for _, in := range inputs {
		if in.Topic != topics.Inbox.Name {
			records += in.Lag
		}
	}
	return records, nil
}

// changedSince says what is configured otherwise than when the traits were
// computed, as far as the state, which may be nil, and the group's offsets tell:
// differences that come from that are no fault.
func changedSince(ctx context.Context, cfg *config.Config, conn *connection, store *state.Store) (notes []string, err error) {
	changed, err := definitionsChanged(cfg, store)
	if err != nil {
		return nil, err
	}
	if changed {
		notes = append(notes, "the definitions have changed since some traits were computed: they hold for impressions read from then on, "+
			"and differences may come from that")
	}
	gone, err := formerSources(ctx, cfg, conn)
	if err != nil {
		return nil, err
	}
	if len(gone) > 0 {
		notes = append(notes, fmt.Sprintf("the group has read topics that are no longer sources (%s): differences may come from that",
			strings.Join(gone, ", ")))
	}
	return notes, nil
}

// definitionsChanged tells whether the state was computed with other definitions,
// all of it or some.
func definitionsChanged(cfg *config.Config, store *state.Store) (bool, error) {
	if store == nil {
		return false, nil
	}
	last, err := store.Meta(definitionsHash)
	earlier, errEarlier := store.Meta(earlierDefinitions)
	if err := errors.Join(err, errEarlier); err != nil {
		return false, fmt.Errorf("reading state: %w", err)
	}
	hash := cfg.Set.Hash()
	return last != nil && string(last) != string(hash[:]) || earlier != nil && string(earlier) != string(hash[:]), nil
}

// formerSources returns the topics of which the group has offsets and which it
// does not read as it is configured.
func formerSources(ctx context.Context, cfg *config.Config, conn *connection) ([]string, error) {
	offsets, err := kadm.NewClient(conn.client).FetchOffsets(ctx, cfg.Group())
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("looking up what group %s has read: %w", cfg.Group(), kafka.Explain(err))
	}
	inputs := append(sourceTopics(cfg), cfg.InboxTopic())
	var gone []string
	for topic := range offsets {
		if !slices.Contains(inputs, topic) {
			gone = append(gone, topic)
		}
	}
	slices.Sort(gone)
	return gone, nil
}
