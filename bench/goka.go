package main

import (
	"github.com/spf13/cobra"

	"traitstream/bench/peers/goka"
)

// gokaCommand runs goka as a process of its own.
func (b *bench) gokaCommand() *cobra.Command {
	var o goka.Options
	c := &cobra.Command{
		Use: "goka", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Brokers = b.brokers
			return goka.Run(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Group, "group", "", "")
	f.StringVar(&o.Input, "input", "", "")
	f.StringVar(&o.Output, "output", "", "")
	f.StringVar(&o.Dir, "dir", "", "")
	return c
}
