package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ask asks whether something is meant, unless that was said before. It is an error
// where nobody can be asked, and where the answer is no.
func (m *Main) ask(ctx context.Context, question string, yes bool) error {
	if err := m.canAsk(yes); yes || err != nil {
		return err
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

// canAsk tells whether there is anybody to be asked, where that is not yes.
func (m *Main) canAsk(yes bool) error {
	if !yes && (!isTerminal(m.Stdin) || !isTerminal(m.Stderr)) {
		return usage("nobody can be asked whether this is meant: say --yes")
	}
	return nil
}
