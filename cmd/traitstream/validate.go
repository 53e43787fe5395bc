package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/kafka"
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
			_ = json.NewEncoder(m.Stdout).Encode(p) // the exit status tells it too
			continue
		}
		fmt.Fprintln(m.Stderr, p)
	}
}

func (m *Main) printValid(cfg *config.Config) error {
	var sources, traits []string
	for _, s := range cfg.Sources {
		sources = append(sources, s.Topic)
	}
	for _, d := range cfg.Traits {
		traits = append(traits, d.Name.String())
	}
	if m.format == "json" {
		return json.NewEncoder(m.Stdout).Encode(map[string]any{
			"valid": true, "app": cfg.App, "sources": sources, "traits": traits, "output": cfg.Output.Topic,
		})
	}
	_, err := fmt.Fprintf(m.Stdout, "the configuration is valid: %s reads %s, computes %s, writes %s\n",
		cfg.App, strings.Join(sources, ", "), strings.Join(traits, ", "), cfg.Output.Topic)
	return err
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
	for _, w := range topics.Warnings {
		fmt.Fprintln(m.Stderr, "warning:", w)
	}
	if err := m.printTopics(topics); err != nil {
		return err
	}
	samples, err := sampleSources(ctx, conn.client, cfg, topics)
	if err != nil {
		return err
	}
	return m.printSamples(samples)
}

func (m *Main) printTopics(topics *kafka.Topics) error {
	t := table{right: map[int]bool{1: true}}
	t.add("TOPIC", "PARTITIONS", "STATE")
	for _, topic := range []kafka.Topic{topics.Traits, topics.Changelog, topics.Inbox, topics.DeadLetters} {
		state := "as it should be"
		if topic.Missing {
			state = "missing; run creates it"
		}
		if m.format == "json" {
			err := json.NewEncoder(m.Stdout).Encode(map[string]any{
				"topic": topic.Name, "partitions": topic.Partitions, "missing": topic.Missing,
			})
			if err != nil {
				return err
			}
			continue
		}
		t.add(topic.Name, fmt.Sprint(topic.Partitions), state)
	}
	if m.format == "json" {
		return nil
	}
	return t.print(m.Stdout)
}
