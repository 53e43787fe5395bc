package processor

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What workers tell the group of themselves spreads the tasks over processes
// first and workers second, and apart from the partitions beyond the tasks.
func TestTasksAreSpread(t *testing.T) {
	for name, c := range map[string]struct {
		tasks, partitions int32 // partitions of a source
		workers           [2]int
		want              [2]int
	}{
		"over processes first":           {6, 6, [2]int{1, 3}, [2]int{3, 3}},
		"apart from partitions beyond":   {2, 4, [2]int{1, 1}, [2]int{1, 1}},
		"no worker is without one":       {4, 4, [2]int{3, 1}, [2]int{3, 1}},
		"the odd one stays where it was": {3, 5, [2]int{1, 1}, [2]int{2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			yaml := strings.Replace(bubbleYAML, "partitions: 3", fmt.Sprintf("partitions: %d", c.tasks), 1)
			inBubble(t, yaml, map[string]int32{"b": c.partitions}, func(b *bubble) {
				var processes [2]*process
				for i := range processes {
					b.cfg.Processor.Workers = c.workers[i]
					processes[i] = b.start(b.t.TempDir(), nil)
					b.pass(10 * time.Second)
				}
				for i, p := range processes {
					if got := len(p.numbers()); got != c.want[i] || !p.Ready() {
						b.t.Errorf("process %d has %d tasks, want %d", i, got, c.want[i])
					}
					for _, w := range p.workers {
						if len(w.here()) == 0 {
							b.t.Errorf("a worker of process %d has no task", i)
						}
					}
				}
			})
		})
	}
}
