package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/schemas/avro"
	"traitstream/trait"
)

const (
	// sampleOffsets is how many offsets of each partition are looked at, from
	// its end.
	sampleOffsets = 1000
	// sampleTime bounds the look at all sources.
	sampleTime = 20 * time.Second
)

// clockAhead is the reason of an impression that lies too far after its record.
const clockAhead impression.Reason = "clock_ahead"

// sourceSample is what the newest records of a source are like.
type sourceSample struct {
	topic       string
	impressions int // to be processed
	forwarded   int // those of them that another task would have to merge
	unwanted    int // those of them that feed no trait
	skipped     int
	refused     map[impression.Reason]int64
}

// sampleSources looks at the newest records of each source, as far as it gets
// in its time. The warning tells of environments that meet in one trait.
func sampleSources(ctx context.Context, cl *kgo.Client, cfg *config.Config, topics *kafka.Topics, find avro.Lookup) (all []sourceSample, warning string, err error) {
	limited, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	environments := trait.NewEnvironments()
	for _, source := range cfg.Sources {
		s := sampler{
			sample:       sourceSample{topic: source.Topic, refused: map[impression.Reason]int64{}},
			tasks:        topics.Tasks,
			maxAhead:     cfg.Processor.MaxClockAhead,
			decoder:      schemas.NewDecoder(source.Source, cfg.Set.Filter(), find),
			matcher:      cfg.Set.NewMatcher(),
			environments: environments,
			warning:      &warning,
		}
		if err := s.read(limited, cl); err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return nil, "", err
		}
		all = append(all, s.sample)
	}
	return all, warning, nil
}

type sampler struct {
	sample       sourceSample
	tasks        int32
	maxAhead     time.Duration
	decoder      *schemas.Decoder
	matcher      *trait.Matcher
	environments *trait.Environments
	warning      *string // where to put it
}

// read looks at the end of each partition, up to what is decided, so that it
// waits for no transaction.
func (s *sampler) read(ctx context.Context, cl *kgo.Client) error {
	adm := kadm.NewClient(cl)
	starts, err := listed(adm.ListStartOffsets(ctx, s.sample.topic))
	if err != nil {
		return err
	}
	ends, err := listed(adm.ListCommittedOffsets(ctx, s.sample.topic))
	if err != nil {
		return err
	}
	for _, end := range ends.Offsets().Sorted() {
		start, _ := starts.Lookup(s.sample.topic, end.Partition)
		from := max(start.Offset, end.At-sampleOffsets)
		if err := kafka.ReadPartition(ctx, cl, s.sample.topic, end.Partition, from, end.At, s.record); err != nil {
			return err
		}
	}
	return nil
}

func (s *sampler) record(r *kgo.Record) error {
	elements, err := s.decoder.Decode(nil, r.Value, headerOf(r, avro.HeaderValueSchema))
	if err != nil {
		return err
	}
	for i := range elements {
		e := &elements[i]
		switch {
		case e.Outcome == impression.Skipped:
			s.sample.skipped++
		case e.Outcome == impression.Refused:
			s.sample.refused[e.Reason]++
		case s.ahead(&e.Impression, r):
			s.sample.refused[clockAhead]++
		default:
			s.impression(&e.Impression, r.Partition)
		}
	}
	s.decoder.Reset()
	s.matcher.Reset()
	return nil
}

func (s *sampler) ahead(imp *impression.Impression, r *kgo.Record) bool {
	at := r.Timestamp.UnixMilli()
	return at != noTimestamp && imp.SeenAt-at > s.maxAhead.Milliseconds()
}

func (s *sampler) impression(imp *impression.Impression, partition int32) {
	s.sample.impressions++
	if kafka.Partition(imp.User, s.tasks) != partition {
		s.sample.forwarded++
	}
	matches, verdict := s.matcher.Match(nil, imp)
	if verdict == trait.NoMatch {
		s.sample.unwanted++
	}
	for i := range matches {
		if warning := s.environments.Saw(&matches[i], imp); warning != "" {
			*s.warning = warning
		}
	}
}
