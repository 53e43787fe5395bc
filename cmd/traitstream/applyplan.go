package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"traitstream/config"
	"traitstream/schemas"
	"traitstream/trait"
)

// plan is what applying definitions comes to.
type plan struct {
	current schemas.Definitions
	cfg     *config.Config // with the definitions to be applied
	change  *trait.Change
	list    []planned
}

// planned is what becomes of a definition.
type planned struct {
	Change string `json:"change"` // added, changed, removed or kept
	Name   string `json:"name"`
	// Recomputed tells that it is computed from history. Of one that is kept: it may
	// have fed the traits of one that goes.
	Recomputed bool           `json:"recomputed"`
	Fields     []changedField `json:"fields,omitempty"`
}

// changedField is a field of a definition that changes, as a configuration has it.
type changedField struct {
	Field   string          `json:"field"`
	InForce json.RawMessage `json:"in_force"` // null: it is left out
	New     json.RawMessage `json:"new"`
}

func newPlan(current schemas.Definitions, cfg *config.Config) (*plan, error) {
	before, set, err := parseGeneration(current)
	if err != nil {
		return nil, err
	}
	p := &plan{current: current, cfg: cfg, change: trait.NewChange(set, cfg.Set)}
	p.list, err = planOf(before, cfg.Traits, p.change)
	return p, err
}

// planOf compares definitions by their names and by what they compute.
func planOf(before, after []trait.Definition, change *trait.Change) (list []planned, err error) {
	left := map[string]*trait.Definition{}
	for i := range before {
		left[before[i].Name.String()] = &before[i]
	}
	for i := range after {
		p := planned{Name: after[i].Name.String(), Change: "kept"}
		p.Recomputed = change.New.Has(p.Name)
		if old := left[p.Name]; old == nil {
			p.Change = "added"
		} else if p.Fields, err = fieldsThatChange(old, &after[i]); err != nil {
			return nil, err
		} else if p.Recomputed && len(p.Fields) > 0 {
			p.Change = "changed"
		}
		delete(left, p.Name)
		list = append(list, p)
	}
	for i := range before {
		if name := before[i].Name.String(); left[name] != nil {
			list = append(list, planned{Change: "removed", Name: name})
		}
	}
	return list, nil
}

// changesTraits tells whether any trait may change.
func (p *plan) changesTraits() bool {
	return slices.ContainsFunc(p.list, func(d planned) bool {
		return d.Recomputed || d.Change == "removed" ||
			slices.ContainsFunc(d.Fields, func(f changedField) bool { return f.Field == "expire_after" })
	})
}

// fieldsThatChange compares two definitions of a name.
func fieldsThatChange(before, after *trait.Definition) (changed []changedField, err error) {
	old, err := fieldsOfDefinition(before)
	if err != nil {
		return nil, err
	}
	next, err := fieldsOfDefinition(after)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(old)
	maps.Copy(names, next)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if string(old[name]) != string(next[name]) {
			changed = append(changed, changedField{name, old[name], next[name]})
		}
	}
	return changed, nil
}

// fieldsOfDefinition returns the fields of a definition in JSON, the conditions of
// where each for itself.
func fieldsOfDefinition(d *trait.Definition) (map[string]json.RawMessage, error) {
	text, _, err := config.Definitions([]trait.Definition{*d})
	if err != nil {
		return nil, err
	}
	var all []map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	fields := all[0]
	var where map[string]json.RawMessage
	if text, ok := fields["where"]; ok {
		if err := json.Unmarshal(text, &where); err != nil {
			return nil, err
		}
	}
	delete(fields, "where")
	for property, condition := range where {
		fields["where."+property] = condition
	}
	return fields, nil
}

// tellPlan prints what changes, and reads the sources to tell how much of it.
func (m *Main) tellPlan(ctx context.Context, a *jobsApp, p *plan, o applyOptions) error {
	if m.format != "json" {
		if err := m.printPlan(p); err != nil {
			return err
		}
	}
	if !o.dryRun {
		if err := m.canAsk(o.consent); err != nil {
			return err // before a long reading
		}
	}
	d, err := m.differenceOf(ctx, a, p, o)
	if err != nil {
		return err
	}
	if m.format == "json" {
		return m.printJSON(newJSONPlan(p, d))
	}
	return m.printPlanDifference(p, d)
}
