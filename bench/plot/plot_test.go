package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"traitstream/bench/contest"
)

var rewrite = flag.Bool("rewrite", false, "write golden files anew")

// TestFigures draws results that were made up, with names that SVG must escape.
func TestFigures(t *testing.T) {
	results := &contest.Results{}
	in, err := os.Open("testdata/results.json")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := results.Read(in); err != nil {
		t.Fatal(err)
	}
	figures, err := Figures(results)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range figures {
		names = append(names, f.Name)
		golden := filepath.Join("testdata", f.Name+".svg")
		if *rewrite {
			if err := os.WriteFile(golden, f.SVG, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f.SVG, want) {
			t.Errorf("%s differs from %s; if that is meant: go -C bench test ./plot -rewrite", f.Name, golden)
		}
		wellFormed(t, f)
	}
	if want := []string{"throughput", "latency", "cpu", "recovery"}; !slices.Equal(names, want) {
		t.Errorf("figures %v, want %v", names, want)
	}
}

func wellFormed(t *testing.T, f Figure) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(f.SVG))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
	}
}

// TestNoFigureOfNothing draws what there are results of, also where all are 0.
func TestNoFigureOfNothing(t *testing.T) {
	figures, err := Figures(&contest.Results{Latencies: []contest.Latency{{Contestant: "x"}}})
	if err != nil || len(figures) != 2 || figures[0].Name != "latency" || bytes.Contains(figures[0].SVG, []byte("NaN")) {
		t.Errorf("%v, %v", figures, err)
	}
}

func TestBarsAreMedians(t *testing.T) {
	c := throughput([]contest.Result{
		{Contestant: "a", Input: "x", PerCPU: 9}, {Contestant: "b", Input: "x", PerCPU: 5}, {Contestant: "a", Input: "y", PerCPU: 7},
		{Contestant: "a", Input: "x", PerCPU: 1}, {Contestant: "a", Input: "x", PerCPU: 4},
	})
	if len(c.Groups) != 2 || len(c.Groups[0].Bars) != 2 || c.Groups[0].Bars[0].Value() != 4 || c.Groups[1].Bars[0].Value() != 7 {
		t.Errorf("%+v", c)
	}
	if b := (bar{values: []float64{4, 1}}); b.Value() != 2.5 {
		t.Errorf("the median of 4 and 1 is %v", b.Value())
	}
}

// TestTicks holds the scale against its promise: it covers all values, not much
// more than that, by few steps.
func TestTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		greatest := rapid.Float64Range(1e-3, 1e9).Draw(t, "greatest")
		ticks := (&chart{Groups: []*group{{Bars: []*bar{{values: []float64{greatest}}}}}}).ticks()
		last := ticks[len(ticks)-1]
		if last < greatest || last > 1.6*greatest || len(ticks) < 3 || len(ticks) > 7 {
			t.Errorf("%v for %v", ticks, greatest)
		}
	})
}

func TestNumbers(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0", 0.5: "0.5", 2.345: "2.35", 12.34: "12.3", 99.96: "100", 123.4: "123", 999.6: "1 k", 1500: "1.5 k", 305_432: "305 k",
		1_998_000: "2 M", 2.5e9: "2.5 G",
	} {
		if got := number(n); got != want {
			t.Errorf("%v: %s, want %s", n, got, want)
		}
	}
	if strings.Contains(number(1e12), "e") {
		t.Error("a large number is written with an exponent")
	}
}
