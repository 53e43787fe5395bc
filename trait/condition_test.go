package trait

import (
	"strings"
	"testing"

	"traitstream/impression"
)

func condition(t testing.TB, property, operator string, operands ...string) Condition {
	t.Helper()
	c, err := NewCondition(property, operator, operands)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// seen is an impression with every fact, and with properties of each kind.
func seen() *impression.Impression {
	text := func(s string) impression.Value {
		return impression.Value{Kind: impression.String, Text: []byte(s), JSON: AppendJSONString(nil, s)}
	}
	json := func(kind impression.Kind, s string) impression.Value {
		return impression.Value{Kind: kind, Text: []byte(s), JSON: []byte(s)}
	}
	return &impression.Impression{
		Identity: impression.User, User: []byte("user-1042"), Flag: []byte("growth_checkout"), Treatment: []byte("on"),
		SeenAt: 1772446530123, Version: 1665436973467,
		Label: []byte("in segment employees"), EnvironmentName: []byte("Production"), EnvironmentID: []byte("0c3a"),
		BucketingKey: []byte("bucket-7"), TrafficTypeID: []byte("7f1d"), SDK: []byte("go"), SDKVersion: []byte("6.10"),
		MachineName: []byte("ip-10-0-0-7"), MachineIP: []byte("10.0.0.7"), Topic: "impressions",
		// In the order of the filter: by name.
		Properties: []impression.Value{
			json(impression.Composite, `{ "a" : 1 }`),   // a
			json(impression.Bool, "true"),               // b
			text("2026-03-02"),                          // d
			text(""),                                    // e
			json(impression.Number, "9007199254740993"), // n
			text("15.0"),                                // s
			{},                                          // z, absent
		},
	}
}

// matches holds one condition against an impression whose properties, if any,
// are those of seen.
func matches(t testing.TB, imp *impression.Impression, c Condition) bool {
	t.Helper()
	d := naming(t, Definition{Name: name(t, "x"), Where: []Condition{c}})
	_, verdict := set(t, d).NewMatcher().Match(nil, imp)
	return verdict == Matched
}

func TestConditions(t *testing.T) {
	for _, test := range []struct {
		property, operator, operands string // operands apart by "|"
		want                         bool
	}{
		{"split", "equals", "growth_checkout", true},
		{"split", "equals", "Growth_Checkout", false},
		{"treatment", "equals", "on", true},
		{"label", "equals", "in segment employees", true},
		{"environmentName", "one_of", "Staging|Production", true},
		{"environmentName", "one_of", "Staging|Test", false},
		{"environmentId", "equals", "0c3a", true},
		{"splitVersionNumber", "equals", "1665436973467", true},
		{"splitVersionNumber", "equals", "1.665436973467e12", true},
		{"splitVersionNumber", "equals", "1665436973468", false},
		{"key", "equals", "user-1042", true},
		{"bucketingKey", "equals", "bucket-7", true},
		{"trafficTypeId", "equals", "7f1d", true},
		{"sdk", "equals", "go", true},
		{"sdkVersion", "equals", "6.10", true},
		{"sdkVersion", "equals", "6.1", false}, // text: another version
		{"machineName", "starts_with", "ip-", true},
		{"machineIp", "equals", "10.0.0.7", true},
		{"source", "equals", "impressions", true},
		{"source", "not_equals", "impressions", false},

		{"treatment", "not_equals", "off", true},
		{"treatment", "not_equals", "on", false},
		{"properties.n", "equals", "9007199254740993", true},
		{"properties.n", "equals", "9007199254740993.0", true},
		{"properties.n", "equals", "9007199254740992", false},
		{"properties.n", "not_equals", "9007199254740992", true},
		{"properties.n", "one_of", "1|9.007199254740993e15", true},
		{"properties.s", "equals", "15", false},
		{"properties.s", "equals", "15.0", true},
		{"properties.b", "equals", "true", true},
		{"properties.e", "equals", "", true},
		{"properties.a", "equals", `{"a":1}`, true},

		{"properties.n", "less_than", "9007199254740994", true},
		{"properties.n", "less_than", "9007199254740993", false},
		{"properties.n", "at_most", "9007199254740993", true},
		{"properties.n", "at_most", "9007199254740992", false},
		{"properties.n", "greater_than", "9007199254740992", true},
		{"properties.n", "greater_than", "9007199254740993", false},
		{"properties.n", "at_least", "9007199254740993", true},
		{"properties.n", "at_least", "9007199254740994", false},
		{"properties.s", "less_than", "15.5", true}, // numeric strings count
		{"properties.s", "at_least", "1.5e1", true},
		{"properties.d", "less_than", "9999", false}, // no number
		{"treatment", "at_least", "0", false},
		{"splitVersionNumber", "at_least", "1665436973467", true},
		{"sdkVersion", "greater_than", "6.9", false}, // a number, not a version

		{"label", "contains", "segment", true},
		{"label", "contains", "Segment", false},
		{"label", "not_contains", "employees", false},
		{"label", "not_contains", "beta", true},
		{"label", "contains_one_of", "beta|employees", true},
		{"label", "contains_one_of", "beta|gamma", false},
		{"split", "starts_with", "growth_", true},
		{"split", "starts_with", "rowth", false},
		{"split", "ends_with", "_checkout", true},
		{"split", "ends_with", "_check", false},

		{"properties.d", "before", "2026-03-03", true},
		{"properties.d", "before", "2026-03-02", false},
		{"properties.d", "after", "2026-03-01T23:59:59.999Z", true},
		{"properties.d", "after", "1772409600000", false}, // that very midnight
		{"splitVersionNumber", "before", "2026-01-01", true},
		{"treatment", "before", "2026-01-01", false},

		{"properties.e", "exists", "true", true},
		{"properties.e", "not_exists", "true", false},
		{"properties.b", "exists", "true", true},
		{"splitVersionNumber", "exists", "true", true},
	} {
		c := condition(t, test.property, test.operator, strings.Split(test.operands, "|")...)
		if got := matches(t, seen(), c); got != test.want {
			t.Errorf("%s %s %s holds: %v", test.property, test.operator, test.operands, got)
		}
	}
}

// None but not_exists holds where the property is absent.
func TestConditionsOnWhatIsAbsent(t *testing.T) {
	bare := &impression.Impression{User: []byte("u"), Flag: []byte("f"), Treatment: []byte("on"), SeenAt: 1}
	absent := []string{"label", "environmentName", "environmentId", "bucketingKey", "trafficTypeId", "sdk",
		"sdkVersion", "machineName", "machineIp", "properties.z"}
	for i := range operators {
		operator := operators[i].name
		operand := map[string]string{"exists": "true", "not_exists": "true"}[operator]
		if operand == "" {
			operand = "1"
		}
		for _, property := range absent {
			if got := matches(t, bare, condition(t, property, operator, operand)); got != (operator == "not_exists") {
				t.Errorf("%s %s holds: %v", property, operator, got)
			}
		}
	}
	if !matches(t, bare, condition(t, "splitVersionNumber", "equals", "0")) {
		t.Error("a missing version is not 0")
	}
}

func TestConditionErrors(t *testing.T) {
	for _, test := range []struct {
		property, operator string
		operands           []string
		want               string
	}{
		{"environmentname", "equals", []string{"x"}, `did you mean "environmentName"?`},
		{"flag", "equals", []string{"x"}, "allowed are split, treatment,"},
		{"properties.", "equals", []string{"x"}, "properties.NAME"},
		{"", "equals", []string{"x"}, "unknown property"},
		{"split", "start_with", []string{"x"}, `did you mean "starts_with"?`},
		{"split", "matches", []string{"x"}, "allowed are equals, not_equals, one_of"},
		{"split", "equals", nil, "equals needs a value"},
		{"split", "one_of", nil, "one_of needs a value"},
		{"split", "equals", []string{"a", "b"}, "equals takes one value, not a list of 2"},
		{"split", "exists", []string{"false"}, `exists takes "true" alone`},
		{"split", "not_exists", []string{""}, `not_exists takes "true" alone`},
		{"splitVersionNumber", "at_least", []string{"new"}, `at_least takes a number, not "new"`},
		{"properties.d", "before", []string{"2026-02-30"}, "before takes a time as RFC 3339, a date YYYY-MM-DD"},
	} {
		_, err := NewCondition(test.property, test.operator, test.operands)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s %q: error %v, want one with %q", test.property, test.operator, test.operands, err, test.want)
		}
	}
}
