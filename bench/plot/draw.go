package plot

import (
	"bytes"
	_ "embed"
	"text/template"
)

//go:embed chart.svg.tmpl
var drawing string

// Sizes of a drawing, in its own units.
const (
	width      = 760
	labels     = 180 // where bars begin
	scale      = 480 // how long they are at most
	top        = 78  // where the first group begins
	nameHeight = 30
	barHeight  = 22
	bottom     = 14
)

// picture is a chart whose parts have places.
type picture struct {
	*chart
	Width, Height, Left, Top, Bottom int
	Ticks                            []mark
	Names                            []mark
	Bars                             []placed
}

type mark struct {
	At   float64
	Text string
}

type placed struct {
	*bar
	Y    int
	Wide float64
	Text string
}

// draw returns the chart as SVG.
func (c *chart) draw() ([]byte, error) {
	t, err := template.New("chart").Parse(drawing)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, c.place())
	return out.Bytes(), err
}

// place gives each part its place.
func (c *chart) place() *picture {
	p := &picture{chart: c, Width: width, Left: labels, Top: top}
	ticks := c.ticks()
	perUnit := scale / ticks[len(ticks)-1]
	for _, tick := range ticks {
		p.Ticks = append(p.Ticks, mark{labels + tick*perUnit, number(tick)})
	}
	y := top
	for _, g := range c.Groups {
		y += nameHeight
		p.Names = append(p.Names, mark{float64(y) - 8, g.Name})
		for _, b := range g.Bars {
			p.Bars = append(p.Bars, placed{b, y, b.Value() * perUnit, number(b.Value())})
			y += barHeight
		}
	}
	p.Bottom, p.Height = y+4, y+4+bottom
	return p
}

// LabelEnd is where the label before a bar ends.
func (placed) LabelEnd() int { return labels - 8 }

// Middle is where the text beside a bar stands.
func (b placed) Middle() int { return b.Y + barHeight/2 + 4 }

// End is where its value is written.
func (b placed) End() float64 { return labels + b.Wide + 6 }

// Thick is how high a bar is; the rest keeps it from the next.
func (placed) Thick() int { return barHeight - 6 }

// Upper is a bar's upper edge.
func (b placed) Upper() int { return b.Y + 3 }
