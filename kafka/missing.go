package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
)

// LostError tells that the changelog is gone though the group goes on behind
// what it held.
type LostError struct{ Changelog, Group string }

// Error says what is left and which ways lead on.
func (e *LostError) Error() string {
	return fmt.Sprintf("topic %[1]s is missing, but group %[2]s has committed offsets of its inputs, so the topic was deleted: "+
		"run does not create it empty, since it would then send again what was sent, with previous null; "+
		"where a state folder (state.dir) was kept, it holds the state up to then, but this version can't fill the topic from it: "+
		"keep a copy of it; to recompute from what the sources still hold, start under a new app name, "+
		"or stop all processes, delete the group's offsets with "+
		"kafka-consumer-groups.sh --bootstrap-server BROKER --delete --group %[2]s and start once with --reset-state; "+
		"both send all current traits again", e.Changelog, e.Group)
}

// CheckMissing tells what it means that topics of ours are missing. It is a
// [*LostError] if that is the changelog of a group that has committed offsets of
// its inputs: an empty one must not take its place. Of other topics that such a
// group had it warns in t.
func CheckMissing(ctx context.Context, cl *kgo.Client, cfg *config.Config, t *Topics) error {
	missing := slices.DeleteFunc(t.missing(), func(own Topic) bool {
		return own.Name == t.DeadLetters.Name || own.Name == t.Control.Name
	})
	if len(missing) == 0 {
		return nil
	}
	begun, err := hasOffsets(ctx, cl, cfg.Group(), t.inputs())
	if err != nil || !begun {
		return err
	}
	gone, err := stillMissing(ctx, cl, missing)
	if err != nil {
		return err
	}
	if slices.Contains(gone, t.Changelog.Name) {
		return &LostError{Changelog: t.Changelog.Name, Group: cfg.Group()}
	}
	t.warnOfLoss(gone, cfg.Group())
	return nil
}

// warnOfLoss warns of what is not in topics that are created for a group that has
// read on.
func (t *Topics) warnOfLoss(gone []string, group string) {
	const was = "topic %s was missing although group %s has committed offsets of its inputs"
	if slices.Contains(gone, t.Traits.Name) {
		t.warn(was+" (deleted, or output.topic was changed): the new one holds only changes from now on, "+
			"not the traits that stay as they are; to send all current traits, start under a new app name", t.Traits.Name, group)
	}
	if slices.Contains(gone, t.Inbox.Name) {
		t.warn(was+": impressions that were forwarded through the deleted one and not merged yet are lost", t.Inbox.Name, group)
	}
}

// inputs are the topics that are there and that the group reads.
func (t *Topics) inputs() []string {
	var names []string
	for _, s := range t.Sources {
		if !s.Missing {
			names = append(names, s.Name)
		}
	}
	if !t.Inbox.Missing {
		names = append(names, t.Inbox.Name)
	}
	return names
}

// hasOffsets tells whether a group has committed an offset of one of the topics.
func hasOffsets(ctx context.Context, cl *kgo.Client, group string, topics []string) (bool, error) {
	for try := 0; ; try++ {
		offsets, err := kadm.NewClient(cl).FetchOffsets(ctx, group)
		if errors.Is(err, kerr.GroupIDNotFound) {
			return false, nil
		}
		if err == nil {
			return anyCommitted(offsets, topics), nil
		}
		if !passing(err, try) || try == patience || backoff(ctx, try) != nil {
			return false, fmt.Errorf("looking up whether group %s has offsets: %w", group, Explain(err))
		}
	}
}

func anyCommitted(offsets kadm.OffsetResponses, topics []string) bool {
	for _, topic := range topics {
		for _, o := range offsets[topic] {
			if o.Err == nil && o.At >= 0 {
				return true
			}
		}
	}
	return false
}

// missingTries is how often a broker is asked for a topic that it may not have
// heard of yet; with backoff's waits that is some 0.8 s.
const missingTries = 5

// stillMissing returns the names of those topics that nobody has created
// meanwhile: of two processes that start at once, the first may be at work
// before the second one looks at the group.
func stillMissing(ctx context.Context, cl *kgo.Client, topics []Topic) ([]string, error) {
	var names []string
	for _, t := range topics {
		names = append(names, t.Name)
	}
	for try := 0; ; try++ {
		there, err := metadata(ctx, cl, names...)
		if err != nil {
			return nil, fmt.Errorf("looking for topics: %w", Explain(err))
		}
		names = slices.DeleteFunc(names, func(n string) bool {
			_, ok := there[n]
			return ok
		})
		if len(names) == 0 || try == missingTries {
			return names, nil
		}
		if err := backoff(ctx, try); err != nil {
			return nil, err
		}
	}
}
