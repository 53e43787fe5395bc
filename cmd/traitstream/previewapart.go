package main

import (
	"fmt"

	"traitstream/preview"
)

// difference prints how the traits would differ from those that the app holds.
func (p *previewPrinter) difference(d *preview.Difference) error {
	p.printf("\n%s\n", p.paint("1", "Against the running app"))
	if !d.Exists {
		p.printf("  it has not run: there is no topic %s, so all traits would be new\n", d.Topic)
	}
	p.printf("  %s, %s, %s, %s stay as they are\n", p.added(p.count(d.Added)+" to add"), p.changed(p.count(d.Changed)+" to change"),
		p.removed(p.count(d.Removed)+" to remove"), p.count(d.Same))
	for _, also := range []struct {
		n    int64
		what string
	}{
		{d.Lost, "of those to change and to remove are lost: they can't be recomputed, since their impressions are no longer in the sources"},
		{d.Kept, "more stay as they are since their impressions are not in the history that was read"},
		{d.Untouched, "more differ from the history under definitions that stay: apply leaves them, replay start reads it again"},
		{d.Unprocessed, "more differ by impressions that the app has perhaps not processed yet"},
	} {
		if also.n > 0 {
			p.printf("  %s %s\n", p.count(also.n), also.what)
		}
	}
	if d.Waiting > 0 {
		p.printf("  %s forwarded impressions wait in the inbox: differences may come from these\n", humanCount(d.Waiting))
	}
	if d.Unread > 0 {
		p.printf("  %s records of %s can't be read: see verify\n", humanCount(d.Unread), d.Topic)
	}
	if !d.Exists {
		return nil // all of it stands above
	}
	if err := p.apart(d); err != nil {
		return err
	}
	return p.examples(d.Examples)
}

// apart prints the traits in which something differs.
func (p *previewPrinter) apart(d *preview.Difference) error {
	if len(d.Traits) == 0 {
		return nil
	}
	t := table{right: map[int]bool{1: true, 2: true, 3: true, 4: true}}
	t.add("TRAIT", "ADD", "CHANGE", "REMOVE", "SAME")
	for _, of := range d.Traits[:min(len(d.Traits), shownTraits)] {
		t.add(printable(of.Trait), p.count(of.Added), p.count(of.Changed), p.count(of.Removed), p.count(of.Same))
	}
	if err := p.table(&t); err != nil {
		return err
	}
	if more := d.MoreTraits + max(0, len(d.Traits)-shownTraits); more > 0 {
		p.printf("  and %d more traits\n", more)
	}
	return nil
}

// examples prints some traits of users that differ.
func (p *previewPrinter) examples(all []preview.Example) error {
	if len(all) == 0 {
		return nil
	}
	t := table{}
	if p.colours {
		t.paint = func(cell string) string { return map[string]string{"+": "32", "~": "33", "-": "31"}[cell] }
	}
	for _, e := range all {
		held, computed := printable(plain([]byte(e.Held))), printable(plain([]byte(e.Computed)))
		switch user, name := who(e.Identity, e.ID), printable(e.Trait); {
		case e.Held == "":
			t.add("+", user, name, computed)
		case e.Computed == "":
			t.add("-", user, name, held)
		default:
			t.add("~", user, name, fmt.Sprintf("%s → %s", held, computed))
		}
	}
	return p.table(&t)
}

func (p *previewPrinter) added(text string) string   { return p.paint("32", "+ "+text) }
func (p *previewPrinter) changed(text string) string { return p.paint("33", "~ "+text) }
func (p *previewPrinter) removed(text string) string { return p.paint("31", "- "+text) }
