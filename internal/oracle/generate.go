package oracle

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// File is a made-up file.
type File struct {
	Name string
	Data []byte
}

// Options tell how large and how bad the files are.
type Options struct {
	Users  int     // distinct ones, at least 1
	Events int     // impressions a file
	Faults float64 // share of elements that are bad or no impressions, 0 to 1
	// Ahead makes some times lie around Stamp plus ten minutes.
	Ahead bool
}

// Stamp is when all records of a made-up file are meant to be written:
// 2026-03-02T10:20:00Z, in ms. Most times lie in the half hour before.
const Stamp = 1772446800000

// maker makes files from one random source.
type maker struct {
	*rand.Rand
	o      Options
	users  []string
	past   []event // some that were made, to come again
	shapes []shape
}

// Generate makes a file of each shape, one of all shapes as lines, some of
// which are broken, and one of values over several lines. The same seed and
// options give the same files.
func Generate(seed int64, o Options) []File {
	g := &maker{Rand: rand.New(rand.NewPCG(uint64(seed), 0)), o: o, shapes: shapes}
	for i := range o.Users {
		g.users = append(g.users, user(i))
	}
	var files []File
	for _, s := range shapes {
		g.shapes = []shape{s}
		files = append(files, File{s.name + ".jsonl", g.lines(false)})
	}
	g.shapes = shapes
	return append(files, File{"mixed.jsonl", g.lines(true)}, File{"sequence.json", g.sequence()})
}

// user returns one of endless users; some are hard to write down.
func user(i int) string {
	switch i % 11 {
	case 3:
		return fmt.Sprintf("kunde-zoë-東京-🦊-%d", i)
	case 5:
		return fmt.Sprintf("a\"b\\c/\x00\n\u2028-%d", i)
	case 7:
		return strings.Repeat("k", 1020) + fmt.Sprintf("%04d", i%10000)
	}
	return fmt.Sprintf("user-%d", i)
}

// lines makes JSON lines. The first is good, so that they are told by it.
func (g *maker) lines(broken bool) []byte {
	var b strings.Builder
	b.WriteString("{}\n")
	for made := 0; made < g.o.Events; {
		values, n := g.value()
		made += n
		line := g.oneLine(values)
		if broken && g.chance(g.o.Faults/4) {
			line = g.breakLine(line)
		}
		b.WriteString(line)
		b.WriteString(g.pick("\n", "\n", "\n", "\r\n", "\n\n", "\n \t\n"))
	}
	return []byte(b.String())
}

// sequence makes values that go over several lines, now and then several on
// one, and a broken one at the end.
func (g *maker) sequence() []byte {
	var b strings.Builder
	b.WriteString("\n[\n]\n")
	for made := 0; made < g.o.Events; {
		value, n := g.value()
		made += n
		b.WriteString(value)
		b.WriteString(g.pick("\n", "", " ", "\n\n"))
	}
	if g.chance(0.5) {
		b.WriteString("{\"key\":\"user-1\",\n\"split\":\"new_checkout\"\n")
	}
	return []byte(b.String())
}

// value makes the value of a record, over several lines, and tells how many
// impressions it may hold.
func (g *maker) value() (string, int) {
	if g.chance(0.7) {
		return g.element(g.shapes[g.IntN(len(g.shapes))])
	}
	n := g.IntN(7)
	var all []string
	total := 1
	for range n {
		one, made := g.element(g.shapes[g.IntN(len(g.shapes))])
		all = append(all, one)
		total += made
	}
	return "[" + g.gap() + strings.Join(all, g.gap()+","+g.gap()) + g.gap() + "]", total
}

// element makes an object of a shape, or something else.
func (g *maker) element(s shape) (string, int) {
	if g.chance(g.o.Faults / 3) {
		return g.pick(`null`, `7`, `"on"`, `[]`, `[{"key":"a","split":"b"}]`, `{}`, `{"hello":"world"}`, `true`, `{"type":"identify","userId":"user-1"}`,
			`{"type":"track","event":"Order Completed","userId":5,"userId":6}`, `{"ip":false}`, `{"impression":null}`, `{"impression":[]}`,
			`{"impressions":{}}`, `{"impressions":[null,{"testName":"x","keyImpressions":{}}]}`, `{"f":"x"}`, `{"f":"x","i":"y"}`,
			`{"f":1,"i":[{},{"k":"u"}]}`, `{"impressions":[],"impressions":[]}`, `{"f":"x","i":null}`), 1
	}
	return s.write(g)
}

func (g *maker) chance(p float64) bool { return g.Float64() < p }

func (g *maker) pick(from ...string) string { return from[g.IntN(len(from))] }

// gap is what may stand between tokens.
func (g *maker) gap() string {
	return g.pick("", "", "", " ", "\n", "\n  ", "\t", "\r\n")
}

// breakLine makes a line that is no JSON.
func (g *maker) breakLine(line string) string {
	switch g.IntN(7) {
	case 0:
		return line[:g.IntN(len(line))]
	case 1:
		return strings.Replace(line, "}", ",}", 1) + "}"
	case 2:
		return line + line
	case 3:
		return strings.ReplaceAll(line, `"`, `'`)
	case 4:
		return "\ufeff" + line
	case 5:
		return `{"key":"user-1","x":"a` + "\t" + `b"}`
	}
	deep := strings.Repeat("[", 10_001)
	return `{"key":"user-1","split":"s","treatment":"on","time":1772446530123,"x":` + deep + strings.Repeat("]", 10_001) + "}"
}

// oneLine takes the line breaks out of a value. They stand between tokens only,
// since strings hold none.
func (g *maker) oneLine(value string) string {
	return strings.NewReplacer("\n", "", "\r", "").Replace(value)
}
