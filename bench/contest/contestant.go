package contest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"traitstream/bench/process"
)

// Contestant is a program that does the job.
type Contestant struct {
	Name  string
	About string // settings that count
	// Build makes the program, in a folder of its own.
	Build func(ctx context.Context, work string) error
	// Spec says how to start it for a stage.
	Spec func(s *Stage) (process.Spec, error)
	// Group and Output are where it commits and writes, Internal its other topics.
	Group, Output string
	Internal      []string
	CreatesOutput bool
	Unchecked     bool // it does not do the job, but marks a limit
}

// topics are all that it writes to.
func (c *Contestant) topics() []string {
	if c.Output == "" {
		return c.Internal
	}
	return append([]string{c.Output}, c.Internal...)
}

// Stage is where a contestant runs: from nothing, unless it is started again.
type Stage struct {
	Input   *Input
	Brokers []string
	Work    string // the contestant's own folder: programs
	Dir     string // of this run: state and logs, empty at first
	Workers int
	Port    int // for HTTP
}

// Traitstream is the program of this repository.
func Traitstream(root string) Contestant {
	const app = "bench-traitstream"
	return Contestant{
		Name: "traitstream", About: "defaults",
		Build: func(ctx context.Context, work string) error {
			return run(ctx, root, "go", "build", "-o", filepath.Join(work, "traitstream"), "./cmd/traitstream")
		},
		Spec:  traitstream,
		Group: app, Output: app + "-traits", CreatesOutput: true,
		Internal: []string{app + "-last-seen-changelog", app + "-inbox", app + "-dead-letters", app + "-control"},
	}
}

const traitstreamYAML = `app: bench-traitstream
kafka: {brokers: [%s]}
sources: [{topic: %s}]
output: {partitions: %d, config: {min.compaction.lag.ms: "9223372036854775807"}} # the check reads each output
state: {dir: state}
processor: {workers: %d}
http: {listen: "127.0.0.1:%d"}
`

func traitstream(s *Stage) (process.Spec, error) {
	config := filepath.Join(s.Dir, "traitstream.yaml")
	text := fmt.Sprintf(traitstreamYAML, strings.Join(s.Brokers, ", "), s.Input.Topic(), s.Input.Params.Partitions, s.Workers, s.Port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return process.Spec{}, fmt.Errorf("writing the configuration: %w", err)
	}
	return process.Spec{
		Name: "traitstream", Dir: s.Dir,
		Args: []string{filepath.Join(s.Work, "traitstream"), "run", "-c", config},
	}, nil
}
