package contest

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"traitstream/bench/process"
)

// Consume is the limit of reading alone, by franz-go.
func Consume() Contestant {
	c := limit("limit-consume", "")
	c.About = "franz-go reads, in a group"
	return c
}

// Pass is the limit of reading and writing in transactions without any work:
// as large a share of the records as the job makes changes of, 120 bytes each.
func Pass() Contestant {
	const output = "bench-limit-pass-traits"
	c := limit("limit-pass", output)
	c.About = "franz-go reads, and writes the share of changes, in transactions of 100 ms"
	return c
}

func limit(name, output string) Contestant {
	return Contestant{
		Name: name, Group: "bench-" + name, Output: output, Unchecked: true,
		Build: func(context.Context, string) error { return nil },
		Spec: func(s *Stage) (process.Spec, error) {
			self, err := os.Executable()
			if err != nil {
				return process.Spec{}, fmt.Errorf("finding this program: %w", err)
			}
			return process.Spec{Name: name, Dir: s.Dir, Args: []string{
				self, "limit", "--brokers", strings.Join(s.Brokers, ","), "--group", "bench-" + name, "--input", s.Input.Topic(),
				"--output", output, "--share", strconv.FormatFloat(s.Input.Changes(), 'f', -1, 64), "--workers", strconv.Itoa(s.Workers),
			}}, nil
		},
	}
}
