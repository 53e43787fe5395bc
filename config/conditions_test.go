package config

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"traitstream/trait"
)

func parse(t interface{ Fatalf(string, ...any) }, text string) *Config {
	config, err := Parse("x.yaml", []byte(text), environment(map[string]string{"TRUE": "true"}))
	if err != nil {
		t.Fatalf("%s:\n%v", text, err)
	}
	return config
}

func condition(t interface{ Fatalf(string, ...any) }, property, operator string, operands ...string) trait.Condition {
	c, err := trait.NewCondition(property, operator, operands)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return c
}

func TestConditions(t *testing.T) {
	config := parse(t, `
traits:
  - name: "{split}"
    where:
      environmentName: [Production, Production-EU]
      split: {starts_with: growth_, not_contains: old}
      label: default rule
      treatment: {exists: true, not_equals: "true"}
    any:
      - {treatment: on}
      - {treatment: [off, "${TRUE}"], sdkVersion: 6.10}
      - properties.seen: {after: 2026-03-02}
      - properties.beta: true
`)
	where := []trait.Condition{
		condition(t, "environmentName", "one_of", "Production", "Production-EU"),
		condition(t, "split", "starts_with", "growth_"),
		condition(t, "split", "not_contains", "old"),
		condition(t, "label", "equals", "default rule"),
		condition(t, "treatment", "exists", "true"),
		condition(t, "treatment", "not_equals", "true"),
	}
	anyOf := [][]trait.Condition{
		{condition(t, "treatment", "equals", "on")},
		{condition(t, "treatment", "one_of", "off", "true"), condition(t, "sdkVersion", "equals", "6.10")},
		{condition(t, "properties.seen", "after", "2026-03-02")},
		{condition(t, "properties.beta", "equals", "true")},
	}
	// Operators hold functions, which cannot be compared, behind pointers, which
	// can.
	got := config.Traits[0]
	if !reflect.DeepEqual(got.Where, where) {
		t.Errorf("where is %+v, want %+v", got.Where, where)
	}
	if !reflect.DeepEqual(got.Any, anyOf) {
		t.Errorf("any is %+v, want %+v", got.Any, anyOf)
	}
}

func TestOperandsAreTakenAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,20})?`),
			rapid.StringMatching(`0[xob]?[0-9_]{1,8}`),
			rapid.SampledFrom([]string{"on", "off", "yes", "no", "Y", "2026-03-02", "1:30", ".inf", "1e3", "1_000", "$5"}),
		).Draw(t, "text")
		config := parse(t, fmt.Sprintf("traits: [{name: a, where: {treatment: %s, label: [%s]}}]", text, text))
		want := []trait.Condition{condition(t, "treatment", "equals", text), condition(t, "label", "one_of", text)}
		if got := config.Traits[0].Where; !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}
