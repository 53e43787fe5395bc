package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
)

// Against the Kafka of TRAITSTREAM_TEST_BROKERS: a replay that is killed again and
// again puts each letter back once.
func TestRealReplayIsKilled(t *testing.T) {
	brokers := os.Getenv("TRAITSTREAM_TEST_BROKERS")
	if brokers == "" {
		t.Skip("set TRAITSTREAM_TEST_BROKERS=host:port,... to test against a real Kafka")
	}
	const letters = 4000
	w := newRealWorld(t, brokers)
	var records []*kgo.Record
	for i := range letters {
		records = append(records, &kgo.Record{Topic: w.source, Key: fmt.Appendf(nil, "user-%d", i), Value: fmt.Appendf(nil, "{%d", i)})
	}
	client := world{T: t, brokers: strings.Split(brokers, ",")}.newClient(kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	succeed(t, "run", "-c", w.config, "--until-caught-up")

	program := buildProgram(t)
	random := rand.New(rand.NewPCG(1, 2))
	told := 0
	for kills := 0; ; kills++ {
		lines, whole := w.replayAndKill(program, random.IntN(700))
		told += strings.Count(lines, `"outcome":"put_back"`)
		if whole {
			if kills < 3 {
				t.Errorf("it was killed %d times only", kills)
			}
			break
		}
	}
	if told > letters {
		t.Errorf("%d letters are told of as put back; there are %d", told, letters)
	}
	back := map[string]int{}
	err := readTopic(t.Context(), client, w.source, startPoint{text: fromStart}, func(r *kgo.Record) error {
		for _, h := range r.Headers {
			if h.Key == schemas.HeaderReplayed {
				back[string(h.Value)]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for letter, n := range back {
		if n != 1 {
			t.Errorf("%s is back %d times", letter, n)
		}
	}
	if len(back) != letters {
		t.Errorf("%d letters are back, want %d", len(back), letters)
	}
	sum := succeed(t, "dlq", "replay", "-c", w.config)
	if want := fmt.Sprintf("0 letters put back\n%d left alone: were put back before\n", letters); sum != want {
		t.Errorf("afterwards: %q, want %q", sum, want)
	}
}

// replayAndKill starts a replay and kills it hard when it has told of so many
// letters beyond what was put back before. It returns what it has printed, and
// whether it came to its end.
func (w *realWorld) replayAndKill(program string, after int) (lines string, whole bool) {
	w.t.Helper()
	c := exec.CommandContext(w.t.Context(), program, "dlq", "replay", "-c", w.config, "--format", "json")
	out, err := c.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	var errs output
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	var all strings.Builder
	fresh := 0
	for s := bufio.NewScanner(out); s.Scan(); {
		all.WriteString(s.Text() + "\n")
		if strings.Contains(s.Text(), `"outcome":"put_back"`) {
			if fresh++; fresh == after+1 {
				if err := c.Process.Kill(); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
	if err := c.Wait(); err != nil && fresh <= after {
		w.t.Fatalf("the replay: %v: %s", err, errs.String())
	}
	return all.String(), strings.Contains(all.String(), `"dry_run"`)
}
