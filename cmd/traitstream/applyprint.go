package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"traitstream/preview"
	"traitstream/schemas"
)

// jsonPlan is a plan as JSON.
type jsonPlan struct {
	InForce  uint32         `json:"in_force"`
	Changes  bool           `json:"changes"`
	Plan     []planned      `json:"plan"`
	Defaults bool           `json:"defaults,omitempty"` // the file names no traits
	Preview  *jsonPreviewed `json:"preview,omitempty"`  // what was read, and how the traits differ
}

func newJSONPlan(p *plan, r *preview.Report) jsonPlan {
	j := jsonPlan{InForce: p.current.Generation, Changes: true, Plan: p.list, Defaults: !p.cfg.TraitsGiven}
	if r != nil {
		of := newJSONPreviewed(r)
		j.Preview = &of
	}
	return j
}

// nothingToApply says that definitions are in force already.
func (m *Main) nothingToApply(current schemas.Definitions) error {
	if m.format == "json" {
		return m.printJSON(jsonPlan{InForce: current.Generation, Plan: []planned{}})
	}
	_, err := fmt.Fprintf(m.Stdout, "nothing to do: these definitions are in force (generation %d)\n", current.Generation)
	return err
}

// printPlan prints how definitions change.
func (m *Main) printPlan(p *plan) error {
	marks := map[string]string{"added": "+", "changed": "~", "removed": "-", "kept": " "}
	var text, fields strings.Builder
	fmt.Fprintf(&text, "against generation %d, which is in force:\n\n", p.current.Generation)
	for i := range p.list {
		d := &p.list[i]
		fmt.Fprintf(&text, "  %s %-8s %s%s\n", marks[d.Change], d.Change, printable(d.Name), d.remark())
		for _, f := range d.Fields {
			fmt.Fprintf(&fields, "  %s  %s: %s → %s\n", printable(d.Name), printable(f.Field), inYAML(f.InForce), inYAML(f.New))
		}
	}
	if fields.Len() > 0 {
		text.WriteString("\n" + fields.String())
	}
	if !p.cfg.TraitsGiven {
		fmt.Fprintf(&text, "\n%s: the default is one trait per flag, {split}, and no others\n", m.noTraits())
	}
	_, err := m.Stdout.Write([]byte(text.String()))
	return err
}

// noTraits says where no traits are named.
func (m *Main) noTraits() string {
	if file := m.configPath(); file != "" {
		return printable(file) + " names no traits"
	}
	return "there is no " + defaultConfig + ", so no traits are named"
}

// remark says what is special about a definition that is kept.
func (d *planned) remark() string {
	switch {
	case d.Change != "kept":
		return ""
	case d.Recomputed:
		return "  (computed anew: it may have fed traits of one that changes or goes)"
	case len(d.Fields) > 0:
		names := make([]string, len(d.Fields))
		for i, f := range d.Fields {
			names[i] = f.Field
		}
		return "  (another " + strings.Join(names, ", ") + "; not computed anew)"
	}
	return ""
}

// inYAML writes a field as the configuration has it, on a line.
func inYAML(field json.RawMessage) string {
	var n yaml.Node
	if field == nil || yaml.Unmarshal(field, &n) != nil {
		return "none"
	}
	plainScalars(&n)
	text, err := yaml.Marshal(&n)
	if err != nil {
		return printable(string(field))
	}
	return printable(strings.TrimSpace(string(text)))
}

// plainScalars takes the quotes away that JSON has and YAML does not need.
func plainScalars(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && !strings.Contains(n.Value, "\n") {
		n.Style = 0
	}
	for _, of := range n.Content {
		plainScalars(of)
	}
}

// printPlanDifference prints how many traits change, unless that was not read.
func (m *Main) printPlanDifference(p *plan, r *preview.Report) error {
	switch {
	case !p.changesTraits():
		_, err := m.Stdout.Write([]byte("\nno trait changes by this\n"))
		return err
	case r == nil:
		_, err := m.Stdout.Write([]byte("\npreview tells how many users and traits that concerns.\n"))
		return err
	}
	out := bufio.NewWriter(m.Stdout)
	printer := &previewPrinter{out: out, colours: m.painter() != nil}
	if err := printer.plan(p, r); err != nil {
		return err
	}
	return out.Flush()
}

// plan prints what was read, what it lacks, and the difference.
func (p *previewPrinter) plan(of *plan, r *preview.Report) error {
	p.printf("\n")
	p.begin(r)
	for i := range r.Definitions {
		d := &r.Definitions[i]
		for _, miss := range d.Misses {
			if of.change.New.Has(d.Name) { // what stays may have matched before
				p.printf("  %s %s: %s\n", p.paint("33", "near miss"), printable(d.Name), missWords(&miss))
			}
		}
	}
	return p.difference(r.Difference)
}
