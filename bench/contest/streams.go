package contest

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"traitstream/bench/process"
)

// Streams is Kafka Streams 4.3.1 with its Processor API ("papi") or its DSL
// ("dsl"). Settings: exactly_once_v2, a commit each 100 ms, a thread per worker,
// RocksDB, no store cache (it was seen to cost more than it saves), lz4, a heap
// of 2 GiB under G1.
func Streams(root, api string) Contestant {
	app := "bench-streams-" + api
	sources := filepath.Join(root, "bench", "peers", "kafka-streams")
	c := Contestant{
		Name: "kafka-streams-" + api, About: "4.3.1, exactly_once_v2, RocksDB without cache, commits each 100 ms, lz4, -Xmx2g",
		Build: func(ctx context.Context, _ string) error {
			return run(ctx, sources, "mvn", "-q", "-B", "-ntp", "package")
		},
		Spec: func(s *Stage) (process.Spec, error) {
			return process.Spec{Name: "kafka-streams-" + api, Dir: s.Dir, Args: java(sources, "-Xmx2g", "bench.Main",
				api, strings.Join(s.Brokers, ","), app, s.Input.Topic(), app+"-traits", filepath.Join(s.Dir, "state"), strconv.Itoa(s.Workers))}, nil
		},
		Group: app, Output: app + "-traits", Internal: []string{app + "-last-seen-changelog"},
	}
	if api == "dsl" {
		c.Internal = append(c.Internal, app+"-keyed-repartition")
	}
	return c
}

// java returns how to run a class of a project that Maven has built.
func java(project, heap, class string, args ...string) []string {
	program := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		program = filepath.Join(home, "bin", "java")
	}
	path := filepath.Join(project, "target", "classes") + ":" + filepath.Join(project, "target", "libs", "*")
	return append([]string{program, heap, "-XX:+UseG1GC", "-cp", path, class}, args...)
}
