package kafka

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/config"
)

// overhead is by how much the program's own topics take larger records than the
// sources, so that what was read can be forwarded or refused.
const overhead = 64 << 10

// Topics are all topics that the program works on.
type Topics struct {
	Tasks       int32 // partitions of traits, changelog and inbox
	Sources     map[string]Topic
	Traits      Topic
	Changelog   Topic
	Inbox       Topic
	Control     Topic
	DeadLetters Topic
	Warnings    []string // what works but is most likely not meant
}

// Creation tells which topics EnsureTopics creates where they are missing. Its
// zero value creates none.
type Creation struct {
	Own bool // traits, changelog, inbox, control and dead letters
	// Sources is the number of partitions of a missing source where
	// output.partitions does not tell; 0: a missing source is an error.
	Sources int32
}

// EnsureTopics finds the topics of the configuration, creates what is missing
// as far as c says, and checks that they fit together. A topic that is still
// missing is returned as it would be created.
//
// An error says what to do: it names the topics nearest to a missing source,
// the counts of partitions that differ, the setting that would lose data, the
// commands that create what this user may not, or the ways that lead on from a
// changelog that was deleted ([*LostError]). Another process may create
// the same topics at the same time.
func EnsureTopics(ctx context.Context, cl *kgo.Client, cfg *config.Config, c Creation) (*Topics, error) {
	found, err := Describe(ctx, cl, topicNames(cfg)...)
	if err != nil {
		return nil, err
	}
	var missing []Topic
	for _, s := range cfg.Sources {
		if _, ok := found[s.Topic]; ok {
			continue
		}
		if c.Sources == 0 {
			return nil, missingSource(ctx, cl, cfg, s.Topic)
		}
		missing = append(missing, plannedSource(cfg, s.Topic, c.Sources))
	}
	t := layout(cfg, found, missing)
	if c.Own {
		if err := CheckMissing(ctx, cl, cfg, t); err != nil {
			return nil, err
		}
		missing = append(missing, t.missing()...)
	}
	if len(missing) > 0 {
		warnings := slices.Clone(t.Warnings)
		if err := t.check(cfg); err != nil { // before some are there and others not
			return t, err
		}
		if err := CreateTopics(ctx, cl, cfg.Kafka.ReplicationFactor, missing...); err != nil {
			return nil, err
		}
		there := slices.Collect(maps.Keys(found))
		for _, m := range missing {
			there = append(there, m.Name)
		}
		if found, err = describeAll(ctx, cl, there...); err != nil {
			return nil, err
		}
		t = layout(cfg, found, nil)
		t.Warnings = warnings
	}
	return t, t.check(cfg)
}

// layout arranges what was found, and plans what was not.
func layout(cfg *config.Config, found map[string]Topic, planned []Topic) *Topics {
	t := &Topics{Sources: make(map[string]Topic, len(cfg.Sources))}
	for _, p := range planned {
		t.Sources[p.Name] = p
	}
	for _, s := range cfg.Sources {
		if f, ok := found[s.Topic]; ok {
			t.Sources[s.Topic] = f
		}
	}
	var largest, bytes int32
	for _, s := range t.Sources {
		largest, bytes = max(largest, s.Partitions), max(bytes, s.MaxMessageBytes)
	}
	names := ownNames(cfg)
	t.Tasks = tasks(cfg, found, largest)
	pick := func(name string, config map[string]string) Topic {
		if f, ok := found[name]; ok {
			return f
		}
		return plannedOwn(name, t.Tasks, bytes, config)
	}
	traits := map[string]string{"cleanup.policy": "compact"}
	maps.Copy(traits, cfg.Output.Config)
	t.Traits = pick(names.traits, traits)
	t.Changelog = pick(names.changelog, map[string]string{"cleanup.policy": "compact"})
	t.Inbox = pick(names.inbox, map[string]string{"cleanup.policy": "delete", "retention.ms": "-1"})
	t.Control = pick(names.control, map[string]string{"cleanup.policy": "compact"})
	if t.Control.Missing {
		t.Control.Partitions = 1
	}
	t.DeadLetters = pick(names.deadLetters, map[string]string{"cleanup.policy": "delete", "retention.ms": "2592000000"})
	return t
}

// tasks is the number of partitions of what exists already; else it is free to
// choose.
func tasks(cfg *config.Config, found map[string]Topic, largest int32) int32 {
	names := ownNames(cfg)
	for _, n := range []string{names.changelog, names.traits, names.inbox} {
		if f, ok := found[n]; ok {
			return f.Partitions
		}
	}
	if cfg.Output.Partitions > 0 {
		return cfg.Output.Partitions
	}
	return largest
}

func plannedSource(cfg *config.Config, name string, partitions int32) Topic {
	if cfg.Output.Partitions > 0 {
		partitions = cfg.Output.Partitions
	}
	return Topic{Name: name, Partitions: partitions, MaxMessageBytes: defaultMaxMessageBytes, Missing: true}
}

// plannedOwn plans a topic of ours. Settings of the user go before the size
// that follows from the sources.
func plannedOwn(name string, partitions, largest int32, settings map[string]string) Topic {
	bytes := min(largest, math.MaxInt32-overhead) + overhead
	if n, err := strconv.ParseInt(settings["max.message.bytes"], 10, 32); err == nil {
		bytes = int32(n)
	}
	settings["max.message.bytes"] = strconv.Itoa(int(bytes))
	return Topic{Name: name, Partitions: partitions, MaxMessageBytes: bytes, Config: settings, Missing: true}
}

// missing returns our topics that do not exist.
func (t *Topics) missing() []Topic {
	var missing []Topic
	for _, own := range []Topic{t.Traits, t.Changelog, t.Inbox, t.Control, t.DeadLetters} {
		if own.Missing {
			missing = append(missing, own)
		}
	}
	return missing
}

type names struct{ traits, changelog, inbox, control, deadLetters string }

func ownNames(cfg *config.Config) names {
	n := names{
		traits:      cfg.Output.Topic,
		changelog:   cfg.App + "-last-seen-changelog",
		inbox:       cfg.App + "-inbox",
		control:     cfg.App + "-control",
		deadLetters: cfg.App + "-dead-letters",
	}
	if n.traits == "" {
		n.traits = cfg.App + "-traits"
	}
	return n
}

func topicNames(cfg *config.Config) []string {
	own := ownNames(cfg)
	all := []string{own.traits, own.changelog, own.inbox, own.control, own.deadLetters}
	for _, s := range cfg.Sources {
		all = append(all, s.Topic)
	}
	return all
}

func (t Topic) String() string {
	return fmt.Sprintf("%s (%d partitions)", t.Name, t.Partitions)
}
