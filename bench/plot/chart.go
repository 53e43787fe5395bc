package plot

import (
	"math"
	"slices"
	"strconv"
)

// chart is what is drawn.
type chart struct {
	Title, Unit string
	Groups      []*group
}

type group struct {
	Name string
	Bars []*bar
}

// bar is the median of its values.
type bar struct {
	Label, Kind string
	values      []float64
}

// group returns the one with a name, at the end where it is new.
func (c *chart) group(name string) *group {
	for _, g := range c.Groups {
		if g.Name == name {
			return g
		}
	}
	g := &group{Name: name}
	c.Groups = append(c.Groups, g)
	return g
}

// add adds a value to the bar with a label.
func (g *group) add(label, kind string, value float64) {
	for _, b := range g.Bars {
		if b.Label == label {
			b.values = append(b.values, value)
			return
		}
	}
	g.Bars = append(g.Bars, &bar{label, kind, []float64{value}})
}

// Value is the median, the mean of the middle two of an even number.
func (b *bar) Value() float64 {
	sorted := slices.Sorted(slices.Values(b.values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ticks are round numbers from 0 to one that is not below all values, four to
// seven of them.
func (c *chart) ticks() []float64 {
	greatest := 0.0
	for _, g := range c.Groups {
		for _, b := range g.Bars {
			greatest = max(greatest, b.Value())
		}
	}
	if greatest <= 0 || math.IsInf(greatest, 0) || math.IsNaN(greatest) {
		greatest = 1
	}
	step := round(greatest / 5)
	ticks := []float64{0}
	for n := 1.0; ticks[len(ticks)-1] < greatest; n++ {
		ticks = append(ticks, n*step)
	}
	return ticks
}

// round returns the least of 1, 2, 2.5 and 5 times a power of ten that is not
// below a number.
func round(n float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(n)))
	for _, digit := range []float64{1, 2, 2.5, 5} {
		if digit*power >= n {
			return digit * power
		}
	}
	return 10 * power
}

// number writes a number with three digits that count.
func number(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if n >= unit.size*0.9995 {
			return digits(n/unit.size) + unit.name
		}
	}
	return digits(n)
}

func digits(n float64) string {
	decimals := 0
	for limit := 99.95; decimals < 2 && n < limit; limit /= 10 {
		decimals++
	}
	text := strconv.FormatFloat(n, 'f', decimals, 64)
	f, _ := strconv.ParseFloat(text, 64) // it was just written
	return strconv.FormatFloat(f, 'f', -1, 64)
}
