package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"traitstream/bench/contest"
	"traitstream/bench/plot"
)

func (b *bench) plotCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "plot RESULT.json...", Short: "Draw figures of results that --json printed or --keep kept", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			results := &contest.Results{}
			for _, path := range args {
				if err := readResults(results, path); err != nil {
					return err
				}
			}
			figures, err := plot.Figures(results)
			if err != nil {
				return err
			}
			for _, f := range figures {
				path := filepath.Join(dir, f.Name+".svg")
				if err := os.WriteFile(path, f.SVG, 0o644); err != nil {
					return fmt.Errorf("writing a figure: %w", err)
				}
				b.printf("%s\n", path)
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "out", ".", "`FOLDER` of the figures, which must be there")
	return c
}

// readResults adds a file's results; - is standard input.
func readResults(to *contest.Results, path string) error {
	if path == "-" {
		return to.Read(os.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading results: %w", err)
	}
	err = to.Read(f)
	_ = f.Close() // it was only read
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
