package main

import "github.com/spf13/cobra"

// laterCommands are those that the documentation names and this version has
// not.
func (m *Main) laterCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, name := range []string{
		"replay", "deliver", "ingest",
	} {
		commands = append(commands, &cobra.Command{
			Use: name, Hidden: true, DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error { return usage("%s: not in this version", name) },
		})
	}
	return commands
}
