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
)

// unprocessed counts the records of the sources that lie beyond the group's
// committed offsets.
func unprocessed(ctx context.Context, cfg *config.Config, conn *connection, topics *kafka.Topics) (records int64, err error) {
	inputs, err := conn.fleet(cfg, topics).Inputs(ctx)
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
// computed: differences that come from that are no fault.
func changedSince(ctx context.Context, cfg *config.Config, conn *connection, differs bool) (notes []string, err error) {
	if differs {
		notes = append(notes, "the definitions in the configuration are not those in force, by which the traits were compared")
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
