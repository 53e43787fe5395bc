package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What the help shows as examples are command lines that are taken.
func TestExamples(t *testing.T) {
	var with []string
	var check func(*cobra.Command)
	check = func(c *cobra.Command) {
		if c.Example != "" && strings.HasPrefix(c.CommandPath(), "traitstream ") {
			with = append(with, c.Name())
			for line := range strings.Lines(c.Example) {
				checkExample(t, c.CommandPath(), strings.TrimSpace(line))
			}
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check((&Main{}).command())
	for _, name := range []string{"preview", "apply", "definitions", "replay", "start", "get", "explain", "verify"} {
		if !slices.Contains(with, name) {
			t.Errorf("%s has no example", name)
		}
	}
}

// checkExample parses a line as a shell and the program do.
func checkExample(t *testing.T, path, line string) {
	t.Helper()
	var words []string
	for _, word := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line, -1) {
		words = append(words, strings.Trim(word, `"`))
	}
	if !strings.HasPrefix(line, path+" ") && line != path {
		t.Errorf("%s is no example of %s", line, path)
		return
	}
	c, args, err := (&Main{}).command().Find(words[1:])
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	if err := c.ParseFlags(args); err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		t.Errorf("%s: %v", line, err)
	}
}
