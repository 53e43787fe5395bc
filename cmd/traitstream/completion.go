package main

import (
	"github.com/spf13/cobra"

	"traitstream/config"
)

// completions tells the shell what may stand where. It fails for no flag that
// exists.
func (m *Main) completions(root *cobra.Command) {
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml")
	words(root, "format", "text", "json")
	for _, c := range root.Commands() {
		switch c.Name() {
		case "demo":
			c.ValidArgsFunction = files
			words(c, "users", "all")
		case "get", "explain":
			words(c, "identity", "user", "anonymous")
			words(c, "at-rest", restFolder, restTopic)
			_ = c.MarkFlagDirname("state-dir")
		case "import":
			c.ValidArgsFunction = files
			m.topics(c, sourceTopics)
		case "status":
			words(c, "dead-letters", lettersNone, lettersAll)
		case "tap":
			words(c, "from", fromStart, fromEnd)
			m.topics(c, func(cfg *config.Config) []string { return append(ownTopics(cfg), sourceTopics(cfg)...) })
		}
	}
}

// files leaves an argument to the shell.
func files(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func words(c *cobra.Command, flag string, words ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// topics completes --topic from the configuration.
func (m *Main) topics(c *cobra.Command, of func(*config.Config) []string) {
	_ = c.RegisterFlagCompletionFunc("topic", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		cfg, err := m.load()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return of(cfg), cobra.ShellCompDirectiveNoFileComp
	})
}

func sourceTopics(cfg *config.Config) []string {
	var topics []string
	for _, s := range cfg.Sources {
		topics = append(topics, s.Topic)
	}
	return topics
}

// ownTopics are those that the program writes.
func ownTopics(cfg *config.Config) []string {
	return []string{cfg.Output.Topic, cfg.ChangelogTopic(), cfg.InboxTopic(), cfg.ControlTopic(), cfg.DeadLetterTopic()}
}
