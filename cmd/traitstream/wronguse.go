package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// asUsage makes wrong arguments, which cobra finds itself, errors of usage that say
// what is right.
func asUsage(c *cobra.Command) {
	c.SuggestionsMinimumDistance = typo
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return wrongArguments(c, args, err)
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		asUsage(sub)
	}
}

// wrongArguments says what a command does not take.
func wrongArguments(c *cobra.Command, args []string, err error) error {
	switch {
	case c.HasAvailableSubCommands() && len(args) > 0:
		return usage("unknown command %q for %q%s (`%[2]s --help` lists what there is)", args[0], c.CommandPath(), meant("", c.SuggestionsFor(args[0])))
	case !strings.Contains(c.Use, " ") && len(args) > 0:
		hint := ""
		if strings.HasSuffix(args[0], ".yaml") || strings.HasSuffix(args[0], ".yml") {
			hint = ": the configuration goes behind -c"
		}
		return usage("%s takes no arguments, but %q is one%s", c.CommandPath(), args[0], hint)
	}
	return usage("%w (usage: %s)", err, c.UseLine())
}

// wrongFlag says what is wrong with an option.
func wrongFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return errUsage{err}
	}
	typed := unknown.GetSpecifiedName()
	if letters := unknown.GetSpecifiedShortnames(); letters != "" {
		typed = letters // of -yes, where only y was looked for
	}
	return usage("%w%s (`%s --help` lists what there is)", err, meant("--", similarFlags(c, typed)), c.CommandPath())
}

// similarFlags returns the options that a mistyped one may have meant, as cobra does it
// for commands.
func similarFlags(c *cobra.Command, typed string) []string {
	names := &cobra.Command{SuggestionsMinimumDistance: typo}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && len(f.Name) > typo { // else anything may have meant it
			names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	return names.SuggestionsFor(typed)
}

// typo is how many letters of a name may be wrong: two, as between "aply" and "appyl".
const typo = 2

// meant asks whether one of some names was meant, if there are any.
func meant(dashes string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf(": did you mean %s%s?", dashes, strings.Join(names, " or "+dashes))
}
