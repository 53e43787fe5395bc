package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/trait"
)

const (
	// sampleRecords is how many records of each partition are looked at, from
	// its end.
	sampleRecords = 1000
	sampleTime    = 20 * time.Second
)

// sourceSample is what the newest records of a source are like.
type sourceSample struct {
	topic       string
	impressions int
	forwarded   int // that another task would have to merge
	skipped     int
	refused     map[impression.Reason]int
	mixed       [2]string // environments that feed one trait, if any do
}

// sampleSources looks at the newest records of each source.
func sampleSources(ctx context.Context, cl *kgo.Client, cfg *config.Config, topics *kafka.Topics) ([]sourceSample, error) {
	ctx, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	environments := trait.NewEnvironments()
	var samples []sourceSample
	for _, source := range cfg.Sources {
		s := sampler{
			sample:       sourceSample{topic: source.Topic, refused: map[impression.Reason]int{}},
			tasks:        topics.Tasks,
			decoder:      impression.NewDecoder(source.Source, cfg.Set.Filter()),
			matcher:      cfg.Set.NewMatcher(),
			environments: environments,
		}
		if err := s.read(ctx, cl); err != nil {
			return nil, err
		}
		samples = append(samples, s.sample)
	}
	return samples, nil
}

type sampler struct {
	sample       sourceSample
	tasks        int32
	decoder      *impression.Decoder
	matcher      *trait.Matcher
	environments *trait.Environments
}

func (s *sampler) read(ctx context.Context, cl *kgo.Client) error {
	adm := kadm.NewClient(cl)
	starts, err := adm.ListStartOffsets(ctx, s.sample.topic)
	if err != nil {
		return fmt.Errorf("looking up the start of %s: %w", s.sample.topic, kafka.Explain(err))
	}
	ends, err := adm.ListCommittedOffsets(ctx, s.sample.topic)
	if err != nil {
		return fmt.Errorf("looking up the end of %s: %w", s.sample.topic, kafka.Explain(err))
	}
	for _, end := range ends.Offsets().Sorted() {
		start, _ := starts.Lookup(s.sample.topic, end.Partition)
		from := max(start.Offset, end.At-sampleRecords)
		if err := kafka.ReadPartition(ctx, cl, s.sample.topic, end.Partition, from, end.At, s.record); err != nil {
			return err
		}
	}
	return nil
}

func (s *sampler) record(r *kgo.Record) error {
	for _, e := range s.decoder.Decode(nil, r.Value) {
		switch e.Outcome {
		case impression.Skipped:
			s.sample.skipped++
		case impression.Refused:
			s.sample.refused[e.Reason]++
		case impression.Accepted:
			s.sample.impressions++
			if kafka.Partition(e.Impression.User, s.tasks) != r.Partition {
				s.sample.forwarded++
			}
			s.match(&e.Impression)
		}
	}
	s.decoder.Reset()
	s.matcher.Reset()
	return nil
}

func (s *sampler) match(imp *impression.Impression) {
	matches, _ := s.matcher.Match(nil, imp)
	for _, m := range matches {
		if one, other, found := s.environments.Saw(m.Trait, imp.EnvironmentName); found {
			s.sample.mixed = [2]string{one, other}
		}
	}
}

func (m *Main) printSamples(samples []sourceSample) error {
	t := table{right: map[int]bool{1: true, 2: true, 3: true, 4: true}}
	t.add("SOURCE", "SAMPLED", "FORWARDED", "SKIPPED", "REFUSED")
	for _, s := range samples {
		if s.mixed != [2]string{} {
			fmt.Fprintln(m.Stderr, "warning:", trait.MixedEnvironments(s.mixed[0], s.mixed[1]))
		}
		refused := 0
		for _, reason := range slices.Sorted(maps.Keys(s.refused)) {
			refused += s.refused[reason]
		}
		share := 0.0
		if s.impressions > 0 {
			share = float64(s.forwarded) / float64(s.impressions)
		}
		if m.format == "json" {
			err := json.NewEncoder(m.Stdout).Encode(map[string]any{
				"source": s.topic, "sampled": s.impressions, "forwarded": share, "skipped": s.skipped,
				"refused": refused, "reasons": s.refused,
			})
			if err != nil {
				return err
			}
			continue
		}
		t.add(s.topic, fmt.Sprint(s.impressions), fmt.Sprintf("%.1f %%", share*100), fmt.Sprint(s.skipped), fmt.Sprint(refused))
	}
	if m.format == "json" {
		return nil
	}
	return t.print(m.Stdout)
}
