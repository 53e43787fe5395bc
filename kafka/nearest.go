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

// missingSource says that a source does not exist, and which topics have a
// similar name.
func missingSource(ctx context.Context, cl *kgo.Client, cfg *config.Config, name string) error {
	topics, err := metadata(ctx, cl)
	if err != nil {
		return fmt.Errorf("listing topics: %w", Explain(err))
	}
	var others []string
	for n, t := range topics {
		if !t.IsInternal && !slices.Contains(topicNames(cfg), n) {
			others = append(others, n)
		}
	}
	hint := "no topic has a similar name"
	if near := nearest(name, others); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("source topic %s does not exist: %s (check sources, and that this user may Describe the topic)", name, hint)
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
