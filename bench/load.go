package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"traitstream/bench/workload"
)

func (b *bench) loadCommand() *cobra.Command {
	var p workload.Params
	var shape string
	c := &cobra.Command{
		Use: "load INPUT", Short: "Put an input into a topic", Args: cobra.ExactArgs(1),
		Long: "Put an input into a topic. Inputs, which flags change:\n\n" + inputs(),
	}
	f := c.Flags()
	f.Int64Var(&p.Events, "events", 0, "number of events")
	f.IntVar(&p.Users, "users", 0, "number of users")
	f.IntVar(&p.Flags, "flags", 0, "number of flags")
	f.Float64Var(&p.Skew, "skew", 0, "exponent of the Zipf distribution of users, above 1; 0: none")
	f.Float64Var(&p.Flips, "flips", 0, "share of events that change a treatment")
	f.Float64Var(&p.Duplicates, "duplicates", 0, "share of events that repeat a recent one")
	f.Float64Var(&p.Late, "late", 0, "share of events that are up to a minute late")
	f.Float64Var(&p.Unkeyed, "unkeyed", 0, "share of records without a key")
	f.IntVar(&p.Batch, "batch", 0, "impressions in a record")
	f.StringVar(&shape, "shape", "", "segment or webhook")
	f.Int32Var(&p.Partitions, "partitions", 0, "of the topic")
	f.Uint64Var(&p.Seed, "seed", 0, "another input of the same kind")
	c.RunE = func(c *cobra.Command, args []string) error {
		p.Shape = workload.Shape(shape)
		court, err := b.court(c.Context())
		if err != nil {
			return err
		}
		defer court.Cluster.Close()
		in, err := b.input(c.Context(), court, args[0], func(to *workload.Params) { override(to, &p, f.Changed) })
		if err != nil {
			return err
		}
		b.printf("%s: %d records of %d events, %d keys, %d changes due\n",
			in.Topic(), in.Records, in.Params.Events, in.Digest.Keys, in.Digest.Outputs)
		return nil
	}
	return c
}

// inputs lists the presets.
func inputs() string {
	var text strings.Builder
	for _, p := range workload.Presets() {
		fmt.Fprintf(&text, "  %-10s %s\n", p.Name, p.About)
	}
	return text.String()
}

// override takes what flags have set.
func override(to, from *workload.Params, changed func(string) bool) {
	for name, set := range map[string]func(){
		"events":     func() { to.Events = from.Events },
		"users":      func() { to.Users = from.Users },
		"flags":      func() { to.Flags = from.Flags },
		"skew":       func() { to.Skew = from.Skew },
		"flips":      func() { to.Flips = from.Flips },
		"duplicates": func() { to.Duplicates = from.Duplicates },
		"late":       func() { to.Late = from.Late },
		"unkeyed":    func() { to.Unkeyed = from.Unkeyed },
		"batch":      func() { to.Batch = from.Batch },
		"shape":      func() { to.Shape = from.Shape },
		"partitions": func() { to.Partitions = from.Partitions },
		"seed":       func() { to.Seed = from.Seed },
	} {
		if changed(name) {
			set()
		}
	}
}
