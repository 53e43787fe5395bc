package contest

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"traitstream/bench/process"
)

// Flink is Flink 2.2.1, embedded, with its state on the heap ("hashmap") or in
// RocksDB ("rocksdb"), and so often a checkpoint, which is when it commits.
// Settings: exactly once, checkpoints to a local folder, parallelism of a worker each, object reuse, serializers of our
// own, bloom filters for RocksDB, lz4, a heap of 3 GiB (2 with RocksDB, besides
// 512 MiB that it manages) under G1.
func Flink(root, state string, checkpoint time.Duration) Contestant {
	name := fmt.Sprintf("flink-%s-%s", state, checkpoint)
	app := "bench-" + name
	sources := filepath.Join(root, "bench", "peers", "flink")
	heap := map[string]string{"hashmap": "-Xmx3g", "rocksdb": "-Xmx2g"}[state]
	return Contestant{
		Name: name, About: fmt.Sprintf("2.2.1, exactly once, a checkpoint each %s, %s", checkpoint, heap),
		Build: func(ctx context.Context, _ string) error {
			return run(ctx, sources, "mvn", "-q", "-B", "-ntp", "package")
		},
		Spec: func(s *Stage) (process.Spec, error) {
			return process.Spec{Name: name, Dir: s.Dir, Args: java(sources, heap, "bench.Main",
				state, strings.Join(s.Brokers, ","), app, s.Input.Topic(), app+"-traits", s.Dir, strconv.Itoa(s.Workers),
				strconv.FormatInt(checkpoint.Milliseconds(), 10))}, nil
		},
		Group: app, Output: app + "-traits",
	}
}
