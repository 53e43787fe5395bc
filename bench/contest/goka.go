package contest

import (
	"context"
	"fmt"
	"os"
	"strings"

	"traitstream/bench/process"
)

// Goka is lovoo/goka, which knows no transactions.
func Goka() Contestant {
	const group, output = "bench-goka", "bench-goka-traits"
	return Contestant{
		Name: "goka", About: "1.1.15, at least once, LevelDB, offsets each 100 ms, lz4",
		Build: func(context.Context, string) error { return nil },
		Spec: func(s *Stage) (process.Spec, error) {
			self, err := os.Executable()
			if err != nil {
				return process.Spec{}, fmt.Errorf("finding this program: %w", err)
			}
			return process.Spec{Name: "goka", Dir: s.Dir, Args: []string{
				self, "goka", "--brokers", strings.Join(s.Brokers, ","), "--group", group,
				"--input", s.Input.Topic(), "--output", output, "--dir", s.Dir,
			}}, nil
		},
		Group: group, Output: output, Internal: []string{group + "-table"},
	}
}
