package main

import (
	"github.com/spf13/cobra"

	"traitstream/bench/peers/limit"
)

// limitCommand runs a limit as a process of its own.
func (b *bench) limitCommand() *cobra.Command {
	var o limit.Options
	c := &cobra.Command{
		Use: "limit", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Brokers, o.Workers = b.brokers, b.workers
			return limit.Run(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Group, "group", "", "")
	f.StringVar(&o.Input, "input", "", "")
	f.StringVar(&o.Output, "output", "", "")
	f.Float64Var(&o.Share, "share", 0, "")
	return c
}
