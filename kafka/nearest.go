package kafka

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
)

// missingSource says that a source does not exist, and which topics, not our
// own, have a similar name.
func missingSource(ctx context.Context, cl *kgo.Client, cfg *config.Config, name string) error {
	return missingTopic(ctx, cl, "source topic "+name, "check sources, and ", name, topicNames(cfg))
}

// NoSuchTopic returns the error that a topic does not exist, with the names of
// those that are most like it.
func NoSuchTopic(ctx context.Context, cl *kgo.Client, name string) error {
	return missingTopic(ctx, cl, "topic "+name, "check ", name, nil)
}

func missingTopic(ctx context.Context, cl *kgo.Client, what, check, name string, but []string) error {
	topics, err := metadata(ctx, cl)
	if err != nil {
		return fmt.Errorf("listing topics: %w", Explain(err))
	}
	var others []string
	for n, t := range topics {
		if !t.IsInternal && !slices.Contains(but, n) {
			others = append(others, n)
		}
	}
	hint := "no topic has a similar name"
	if near := nearest(name, others); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("%s does not exist: %s (%sthat this user may Describe the topic)", what, hint, check)
}

// nearest returns up to three of the names, the most similar first, whose edit
// distance to name is at most half its length.
func nearest(name string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, n := range names {
		if d := distance(name, n); d <= len(name)/2 {
			near = append(near, candidate{n, d})
		}
	}
	slices.SortFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	var best []string
	for _, c := range near[:min(3, len(near))] {
		best = append(best, c.name)
	}
	return best
}

// distance is the least number of bytes to insert, delete or replace that makes
// b of a. Topic names are ASCII.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
