package main

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"traitstream/preview"
	"traitstream/trait"
)

// What is shown of a definition as text; JSON has more.
const (
	shownTraits     = 10 // of a definition, and of the difference
	shownValues     = 8  // of a trait
	shownUserTraits = 5  // of a user
	shownFlags      = 20
)

// previewPrinter prints a preview as text.
type previewPrinter struct {
	out           *bufio.Writer // its errors are told by Flush
	bars, colours bool

	about string // stands before estimates
}

func (p *previewPrinter) printf(format string, args ...any) { fmt.Fprintf(p.out, format, args...) } //nolint:errcheck // Flush tells

// count returns a number of users or changes.
func (p *previewPrinter) count(n int64) string { return p.about + humanCount(n) }

func (p *previewPrinter) print(r *preview.Report) error {
	p.begin(r)
	for i := range r.Definitions {
		if err := p.definition(r, &r.Definitions[i]); err != nil {
			return err
		}
	}
	if err := p.unwanted(r.Unwanted); err != nil {
		return err
	}
	if r.Difference == nil {
		p.printf("\nNot compared with the running app: that takes all of the history.\n")
		return nil
	}
	return p.difference(r.Difference)
}

// begin tells what was read.
func (p *previewPrinter) begin(r *preview.Report) {
	if r.OneIn > 1 {
		p.about = "~"
	}
	if !r.Complete {
		p.printf("INCOMPLETE: %.0f %% of the history was read\n", 100*r.Share)
	}
	p.printf("%s impressions in %s records", humanCount(r.Impressions), humanCount(r.Records))
	if r.First > 0 {
		const layout = "2006-01-02 15:04"
		p.printf(", %s to %s", time.UnixMilli(r.First).UTC().Format(layout), time.UnixMilli(r.Last).UTC().Format(layout))
	}
	p.printf("\n")
	for _, also := range []struct {
		n    int64
		what string
	}{
		{r.NoMatch, "are wanted by no definition"}, {r.NotServed, "were not served"}, {r.Skipped, "elements more are no impressions"},
	} {
		if also.n > 0 {
			p.printf("  %s %s\n", humanCount(also.n), also.what)
		}
	}
	if len(r.Refused) > 0 {
		p.printf("  refused: %s\n", reasons(r.Refused))
	}
	if r.OneIn > 1 {
		p.printf("Values, changes and differences are estimated by one user in %d, users counted by HyperLogLog (to 1 %%):\n"+
			"there are more than fit; --memory and --users keep more.\n", r.OneIn)
	}
}

// definition prints what comes of one.
func (p *previewPrinter) definition(r *preview.Report, d *preview.Definition) error {
	p.printf("\n%s", p.paint("1", printable(d.Name)))
	if d.Description != "" {
		p.printf("  %s", printable(d.Description))
	}
	users := humanCount(d.Users.N)
	if d.Users.Estimated {
		users = "~" + users
	}
	p.printf("\n  impressions  %s of %s\n  users        %s\n", humanCount(d.Impressions), humanCount(r.Impressions), users)
	p.changes(r, &d.Changes)
	if d.None > 0 {
		p.printf("  cleared      %s traits, by an impression that was not served\n", p.count(d.None))
	}
	if d.Expired > 0 {
		p.printf("  expired      %s traits\n", p.count(d.Expired))
	}
	for _, miss := range d.Misses {
		p.printf("  %s  %s\n", p.paint("33", "near miss  "), missWords(&miss))
	}
	if err := p.values(d); err != nil {
		return err
	}
	return p.sample(d)
}

// changes tells what each destination would have received.
func (p *previewPrinter) changes(r *preview.Report, c *preview.Changes) {
	p.printf("  changes      %s to each destination", p.count(c.Total()))
	if c.Total() > 0 {
		p.printf(": %s first values, %s others, %s removals", p.count(c.First), p.count(c.Changed), p.count(c.Removed))
	}
	if len(c.Days) > 1 {
		most := c.Days[0]
		for _, d := range c.Days {
			if d.Changes > most.Changes {
				most = d
			}
		}
		p.printf("\n               %s a day, most on %s: %s", p.count(int64(aDay(r, c.Total())+0.5)),
			time.UnixMilli(most.Start).UTC().Format(time.DateOnly), p.count(most.Changes))
	}
	p.printf("\n")
}

// aDay returns how many a day there are of something in the time that was read.
func aDay(r *preview.Report, n int64) float64 {
	const day = float64(24 * time.Hour / time.Millisecond)
	return float64(n) / max(1, float64(r.Last-r.First)/day)
}

// missWords says what a definition misses.
func missWords(m *trait.Miss) string {
	switch m.Kind {
	case trait.MissEvent:
		return fmt.Sprintf("event %s: no impression is of it", printable(m.Condition))
	case trait.MissTogether:
		return fmt.Sprintf("each condition holds for some of %s impressions, but for none do all that must", humanCount(m.Tried))
	case trait.MissFact:
		return fmt.Sprintf("the %s impressions for which the conditions hold lack %s", humanCount(m.Tried), printable(m.Condition))
	}
	text := fmt.Sprintf("%s: 0 of %s", printable(m.Condition), humanCount(m.Tried))
	switch {
	case m.Nearest != "":
		text += "; nearest: " + printable(m.Nearest)
	case m.Absent == m.Tried:
		text += "; it is absent from all"
	}
	return text
}

// values prints the users of each trait, by value.
func (p *previewPrinter) values(d *preview.Definition) error {
	if len(d.Traits) == 0 {
		return nil
	}
	t := table{right: map[int]bool{2: true, 3: true}}
	t.add("TRAIT", "VALUE", "USERS", "")
	for i := range d.Traits[:min(len(d.Traits), shownTraits)] {
		of := &d.Traits[i]
		name := printable(of.Name)
		for _, v := range of.Values[:min(len(of.Values), shownValues)] {
			share := float64(v.Users) / float64(of.Users)
			t.add(name, printable(plain([]byte(v.Value))), p.count(v.Users), percent(share), p.bar(share))
			name = ""
		}
		if more := of.MoreValues + max(0, len(of.Values)-shownValues); more > 0 {
			t.add("", fmt.Sprintf("and %d more values", more))
		}
	}
	if err := p.table(&t); err != nil {
		return err
	}
	if more := d.MoreTraits + max(0, len(d.Traits)-shownTraits); more > 0 {
		p.printf("  and %d more traits (--trait NAME shows one, --format json many)\n", more)
	}
	return nil
}

// fullBar is the width of a bar of all users.
const fullBar = 20

// bar draws a share, in eighths of a column.
func (p *previewPrinter) bar(share float64) string {
	if !p.bars {
		return ""
	}
	eighths := int(share*fullBar*8 + 0.5)
	bar := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return bar
}

// sample prints some users.
func (p *previewPrinter) sample(d *preview.Definition) error {
	t := table{}
	t.add("SOME USERS", "TRAIT", "VALUE", "SEEN AT")
	for _, u := range d.Sample {
		name := who(u.Identity, u.ID)
		for _, of := range u.Traits[:min(len(u.Traits), shownUserTraits)] {
			t.add(name, printable(of.Trait), printable(plain([]byte(of.Value))), time.UnixMilli(of.SeenAt).UTC().Format("2006-01-02 15:04:05.000"))
			name = ""
		}
		if more := len(u.Traits) - shownUserTraits; more > 0 {
			t.add("", fmt.Sprintf("and %d more", more))
		}
	}
	if len(t.rows) == 1 {
		return nil
	}
	return p.table(&t)
}

// who names a user.
func who(identity, id string) string {
	if identity != "user" {
		return printable(id) + " (" + identity + ")"
	}
	return printable(id)
}

// unwanted prints the flags that no definition wants.
func (p *previewPrinter) unwanted(flags []preview.Flag) error {
	if len(flags) == 0 {
		return nil
	}
	p.printf("\n%s\n", p.paint("1", "Flags that no definition wants"))
	t := table{right: map[int]bool{1: true}}
	t.add("FLAG", "IMPRESSIONS")
	for _, f := range flags[:min(len(flags), shownFlags)] {
		t.add(printable(f.Name), humanCount(f.Impressions))
	}
	if err := p.table(&t); err != nil {
		return err
	}
	if more := len(flags) - shownFlags; more > 0 {
		p.printf("  and %d more\n", more)
	}
	return nil
}

// table prints a table below a heading.
func (p *previewPrinter) table(t *table) error {
	var b strings.Builder
	if err := t.print(&b); err != nil {
		return err
	}
	p.printf("\n")
	for line := range strings.Lines(b.String()) {
		p.printf("  %s", line)
	}
	return nil
}

// paint colours text where colours are wanted.
func (p *previewPrinter) paint(colour, text string) string {
	if !p.colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
