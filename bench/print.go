package main

import (
	"fmt"
	"os"

	"traitstream/bench/contest"
)

// printf prints results; what can be read of them is what counts.
func (b *bench) printf(format string, args ...any) { _, _ = fmt.Fprintf(b.out, format, args...) }

// printHead prints the head of a table.
func (b *bench) printHead(format string, names ...any) {
	if !b.json {
		b.printf(format, names...)
	}
}

// print prints a result, as text or as JSON, and keeps it where that is wanted.
func (b *bench) print(result any, format string, args ...any) error {
	line, err := contest.Line(result)
	if err != nil {
		return err
	}
	if b.json {
		b.printf("%s", line)
	} else {
		b.printf(format, args...)
	}
	if b.keep == "" {
		return nil
	}
	return appendFile(b.keep, line)
}

func appendFile(path string, line []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("keeping a result: %w", err)
	}
	_, err = f.Write(line)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("keeping a result: %w", err)
	}
	return nil
}
