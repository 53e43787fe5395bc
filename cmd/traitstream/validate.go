package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/kafka"
	"traitstream/schemas/registry"
)

func (m *Main) validateCommand() *cobra.Command {
	online := false
	c := &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration, and with --connect the topics too",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := m.load()
			if err != nil {
				return err
			}
			if err := m.printValid(cfg); err != nil || !online {
				return err
			}
			return m.validateOnline(c.Context(), cfg)
		},
	}
	c.Flags().BoolVar(&online, "connect", false, "check the topics and their settings, and sample the sources")
	return c
}

// printProblems prints what is wrong with a configuration: as JSON it is the
// command's result, as text a complaint.
func (m *Main) printProblems(problems config.Problems) {
	for _, p := range problems {
		if m.format == "json" {
			_ = m.printJSON(p) // the exit status tells it too
			continue
		}
		fmt.Fprintln(m.Stderr, p)
	}
}

// validation is what validate says of a valid configuration.
type validation struct {
	Valid   bool     `json:"valid"`
	File    string   `json:"file,omitempty"`
	App     string   `json:"app"`
	Sources []string `json:"sources"`
	Traits  []string `json:"traits"`
	Output  string   `json:"output"`
}

func (m *Main) printValid(cfg *config.Config) error {
	v := validation{Valid: true, File: m.configPath(), App: cfg.App, Sources: sourceTopics(cfg), Output: cfg.Output.Topic}
	for _, d := range cfg.Traits {
		v.Traits = append(v.Traits, d.Name.String())
	}
	if m.format == "json" {
		return m.printJSON(v)
	}
	what := v.File + " is valid"
	if v.File == "" {
		what = "there is no " + defaultConfig + ", so the defaults hold"
	}
	_, err := fmt.Fprintf(m.Stdout, "%s: %s reads %s, computes %s, writes %s\n",
		what, v.App, strings.Join(v.Sources, ", "), strings.Join(v.Traits, ", "), v.Output)
	return err
}

// printJSON prints an object on a line.
func (m *Main) printJSON(v any) error {
	e := json.NewEncoder(m.Stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// validateOnline checks the topics and looks at a sample of the sources.
func (m *Main) validateOnline(ctx context.Context, cfg *config.Config) error {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	topics, err := kafka.EnsureTopics(ctx, conn.client, cfg, kafka.Creation{})
	if err != nil {
		return err
	}
	lost := kafka.CheckMissing(ctx, conn.client, cfg, topics)
	if lost != nil && !errors.As(lost, new(*kafka.LostError)) {
		return lost
	}
	for _, w := range topics.Warnings {
		fmt.Fprintln(m.Stderr, "warning:", w)
	}
	theirs := *cfg
	if generation, differs, err := inForce(ctx, conn, &theirs, topics); err != nil {
		return err
	} else if differs {
		fmt.Fprintf(m.Stderr, "warning: these definitions are not those in force (generation %d): `traitstream apply` puts them in force\n", generation)
	}
	if err := m.printTopics(topics, lost != nil); err != nil {
		return err
	}
	if lost != nil {
		return lost // run fails with it too
	}
	r, err := newRegistry(cfg.Registry, m.logger(m.Stderr))
	if err != nil {
		return err
	}
	if err := m.validateOutput(ctx, cfg, conn, topics, r); err != nil {
		return err
	}
	samples, warning, err := sampleSources(ctx, conn.client, cfg, topics, r.Lookup(ctx))
	if err != nil {
		return err
	}
	if warning != "" {
		fmt.Fprintln(m.Stderr, "warning:", warning)
	}
	return m.printSamples(samples)
}

// validatePatience is how long brokers that are away are waited for.
const validatePatience = 30 * time.Second

// validateOutput checks that the traits topic may be written as is configured. It
// registers nothing.
func (m *Main) validateOutput(ctx context.Context, cfg *config.Config, conn *connection, topics *kafka.Topics, r *registry.Client) error {
	out, err := knownOutput(ctx, cfg, topics.Traits, r)
	if registry.IsUnknown(err) {
		fmt.Fprintf(m.Stderr, "the schemas of %s are not registered; run registers them\n", topics.Traits.Name)
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, validatePatience)
	defer cancel()
	return checkOutput(ctx, conn.client, topics.Traits, out, m.logger(m.Stderr))
}

// topicState is what validate says of one of the program's topics.
type topicState struct {
	Topic      string `json:"topic"`
	Partitions int32  `json:"partitions"`
	Missing    bool   `json:"missing"`
}

func (m *Main) printTopics(topics *kafka.Topics, lost bool) error {
	t := table{right: map[int]bool{1: true}}
	t.add("TOPIC", "PARTITIONS", "STATE")
	for _, topic := range []kafka.Topic{topics.Traits, topics.Changelog, topics.Inbox, topics.DeadLetters} {
		if m.format == "json" {
			if err := m.printJSON(topicState{topic.Name, topic.Partitions, topic.Missing}); err != nil {
				return err
			}
			continue
		}
		state := "as it should be"
		switch {
		case topic.Missing && lost:
			state = "missing; run refuses to create it"
		case topic.Missing:
			state = "missing; run creates it"
		}
		t.add(topic.Name, strconv.Itoa(int(topic.Partitions)), state)
	}
	if m.format == "json" {
		return nil
	}
	return t.print(m.Stdout)
}
