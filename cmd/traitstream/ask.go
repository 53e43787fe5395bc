package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// consent is that of the user to what a command is about to do. On a terminal they are
// asked; --yes gives it beforehand.
type consent struct {
	yes bool
	// harmless is what takes no trait from anybody: where nobody can be asked it is done
	// without --yes, so that a script of before goes on.
	harmless bool
}

func (o *consent) flag(c *cobra.Command) {
	text := "do not ask; needed where nobody can be asked"
	if o.harmless {
		text = "do not ask"
	}
	c.Flags().BoolVar(&o.yes, "yes", false, text)
}

// ask asks whether something is meant, unless that was said before. It is an error
// where nobody can be asked, and where the answer is no.
func (m *Main) ask(ctx context.Context, question string, o consent) error {
	if err := m.canAsk(o); err != nil {
		return err
	}
	if o.yes || !m.somebody() {
		return nil
	}
	fmt.Fprintf(m.Stderr, "%s [y/N] ", question)
	answer, err := bufio.NewReader(m.stdin(ctx)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}

// canAsk tells whether a command may go on: it needs consent, or somebody to be asked.
func (m *Main) canAsk(o consent) error {
	if !o.yes && !o.harmless && !m.somebody() {
		return usage("nobody can be asked whether this is meant: say --yes")
	}
	return nil
}

// somebody tells whether there is somebody to be asked.
func (m *Main) somebody() bool { return isTerminal(m.Stdin) && isTerminal(m.Stderr) }
