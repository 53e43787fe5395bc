package verify

import (
	"traitstream/config"
	"traitstream/impression"
	"traitstream/internal/oracle"
	"traitstream/trait"
)

// oracleSources tells the oracle how the sources are read, by topic.
func oracleSources(c *config.Config) map[string]oracle.Source {
	all := map[string]oracle.Source{}
	for _, s := range c.Sources {
		src := oracle.Source{
			Topic: s.Topic, Format: string(s.Format), Identity: identityName(s.Identity),
			Environment: s.Environment, Environments: s.Environments,
		}
		if s.ByTrafficType != nil {
			src.Identity, src.Else, src.ByTrafficType = "", identityName(s.Identity), map[string]string{}
			for id, identity := range s.ByTrafficType {
				src.ByTrafficType[id] = identityName(identity)
			}
		}
		all[s.Topic] = src
	}
	return all
}

// identityName is empty for one that is skipped.
func identityName(i impression.Identity) string {
	if i == 0 {
		return ""
	}
	return i.String()
}

// oracleDefinitions tells the oracle the definitions, in their order.
func oracleDefinitions(defs []trait.Definition) []oracle.Definition {
	var all []oracle.Definition
	for _, d := range defs {
		def := oracle.Definition{
			Name: d.Name.String(), Event: d.Event, Property: d.Property,
			Where: oracleConditions(d.Where), NotServed: d.NotServed.String(),
			ExpireAfter: d.ExpireAfter,
		}
		for _, branch := range d.Any {
			def.Any = append(def.Any, oracleConditions(branch))
		}
		all = append(all, def)
	}
	return all
}

func oracleConditions(conditions []trait.Condition) []oracle.Cond {
	var all []oracle.Cond
	for i := range conditions {
		property, operator, operands := conditions[i].Parts()
		all = append(all, oracle.Cond{Property: property, Operator: operator, Operands: operands})
	}
	return all
}
