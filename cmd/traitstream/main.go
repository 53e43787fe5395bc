// Command traitstream keeps the treatment that each user last saw of each
// feature flag as a trait of the user, in Kafka.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"traitstream/config"
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	go interrupts(stop)
	m := &Main{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	os.Exit(m.Run(ctx, os.Args[1:]))
}

// interrupts ends the context at the first signal and the process at the second.
func interrupts(stop context.CancelFunc) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	stop()
	// Some wrappers send the same signal to the process and to its group.
	for first := time.Now(); time.Since(first) < sameSignal; {
		<-signals
	}
	fmt.Fprintln(os.Stderr, "traitstream: stopped hard; what was not committed is read again")
	os.Exit(exitFailed)
}

// sameSignal is how long after the first signal another one counts as the same.
const sameSignal = 300 * time.Millisecond

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Main is the program with its surroundings in the caller's hands.
type Main struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	configFile string
	format     string // text or json
}

// errUsage marks what the user has to write differently.
type errUsage struct{ error }

func (e errUsage) Unwrap() error { return e.error }

// usage makes an error one of usage.
func usage(format string, args ...any) error { return errUsage{fmt.Errorf(format, args...)} }

// Run runs a command line and returns its exit status.
func (m *Main) Run(ctx context.Context, args []string) int {
	root := m.command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return m.report(err)
}

// report prints an error and returns the exit status for it.
func (m *Main) report(err error) int {
	var problems config.Problems
	var wrong errUsage
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errReported):
		return exitFailed
	case errors.As(err, &problems):
		m.printProblems(problems)
		return exitUsage
	case errors.As(err, &wrong):
		fmt.Fprintf(m.Stderr, "traitstream: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(m.Stderr, "traitstream: %v\n", err)
	return exitFailed
}

// errReported is a failure that the command has already told of.
var errReported = errors.New("reported")

// command builds the tree of commands.
func (m *Main) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "traitstream",
		Short:         "Keeps each user's last-seen treatments as traits, in Kafka",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if m.format != "text" && m.format != "json" {
				return usage("--format is text or json, not %q", m.format)
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringVarP(&m.configFile, "config", "c", "", "configuration `FILE` (default traitstream.yaml where it exists)")
	root.PersistentFlags().StringVar(&m.format, "format", "text", "output `FORMAT`: text or json, one object a line")
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(m.demoCommand(), m.runCommand(), m.importCommand(), m.tapCommand(), m.validateCommand(), m.statusCommand(), m.verifyCommand(), m.previewCommand(), m.getCommand(), m.explainCommand(), m.forgetCommand(), m.dlqCommand(), m.replayCommand(), m.applyCommand(), m.definitionsCommand(), m.versionCommand())
	root.AddCommand(m.laterCommands()...)
	root.SetIn(m.Stdin)
	root.SetOut(m.Stdout)
	root.SetErr(m.Stderr)
	m.completions(root)
	root.InitDefaultCompletionCmd() // now, that its arguments are looked at too; it prints where root does
	asUsage(root)
	return root
}
