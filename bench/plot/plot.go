// Package plot draws results as bar charts in SVG. A chart has groups of bars,
// which share a scale that begins at 0; a bar is the median of what was measured
// more than once. Its background is clear and its colours are of middle lightness,
// so that it can be read on light and on dark pages.
package plot

import (
	"fmt"
	"slices"
	"strconv"

	"traitstream/bench/contest"
)

// Figure is a drawn chart.
type Figure struct {
	Name string // of its file, without ending
	SVG  []byte
}

// Figures draws what there are results of.
func Figures(r *contest.Results) ([]Figure, error) {
	var figures []Figure
	for _, one := range []struct {
		name  string
		chart chart
	}{
		{"throughput", throughput(r.Runs)},
		{"latency", latency(r.Latencies)},
		{"cpu", cpu(r.Latencies)},
		{"recovery", recovery(r.Restores, r.Crashes)},
	} {
		if len(one.chart.Groups) == 0 {
			continue
		}
		svg, err := one.chart.draw()
		if err != nil {
			return nil, fmt.Errorf("drawing %s: %w", one.name, err)
		}
		figures = append(figures, Figure{one.name, svg})
	}
	return figures, nil
}

func throughput(runs []contest.Result) chart {
	c := chart{Title: "Events per CPU second", Unit: "events for each second that the contestant spends on a processor; more is better"}
	for _, r := range runs {
		c.group("input "+r.Input).add(r.Contestant, kind(r.Contestant), r.PerCPU)
	}
	return c
}

func latency(all []contest.Latency) chart {
	c := chart{Title: "Time from an impression to its change", Unit: "ms from the producer to a read_committed reader; less is better"}
	for _, l := range all {
		g := c.group(l.Contestant + ", " + rate(l))
		for _, p := range []struct {
			name string
			ms   float64
		}{{"p50", l.P50}, {"p90", l.P90}, {"p99", l.P99}, {"p99.9", l.P999}, {"max", l.Max}} {
			g.add(p.name, kind(l.Contestant), p.ms)
		}
	}
	return c
}

func cpu(all []contest.Latency) chart {
	c := chart{Title: "CPU use at a fixed rate", Unit: "% of one core, of the contestant's process; less is better"}
	for _, l := range all {
		c.group(rate(l)).add(l.Contestant, kind(l.Contestant), l.CPU)
	}
	return c
}

func recovery(restores []contest.Restored, crashes []contest.Crashed) chart {
	c := chart{Title: "Time until it works again", Unit: "s, of starts from the start of the process; less is better"}
	for _, r := range restores {
		g := c.group(keys(r.Contestant, r.Keys))
		g.add("restore of state", kind(r.Contestant), r.Restore.Seconds())
		g.add("start on empty disk", kind(r.Contestant), r.Ready.Seconds())
	}
	for _, r := range crashes {
		g := c.group(keys(r.Contestant, r.Keys))
		for _, s := range r.Seconds {
			g.add("output after kill -9", kind(r.Contestant), s)
		}
	}
	return c
}

func rate(l contest.Latency) string { return strconv.Itoa(l.Rate) + " events/s" }

func keys(who string, n int64) string { return who + ", " + number(float64(n)) + " keys" }

// kind is how a contestant's bars are drawn.
func kind(contestant string) string {
	switch {
	case contestant == "traitstream":
		return "own"
	case slices.Contains([]string{"limit-consume", "limit-pass"}, contestant):
		return "limit"
	}
	return "peer"
}
