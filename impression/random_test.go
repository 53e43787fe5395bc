package impression

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestRandomRecords compares decoder and reference on made-up records: objects
// of every shape whose members are good, bad, missing or doubled, in arrays and
// groups, then with some bytes changed.
func TestRandomRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := []byte(drawRecord(t))
		for n := rapid.SampledFrom([]int{0, 0, 0, 1, 3}).Draw(t, "mutations"); n > 0; n-- {
			value = mutate(t, value)
		}
		src := testSource(rapid.SampledFrom(Formats()).Draw(t, "format"))
		filter := testFilter
		switch rapid.IntRange(0, 3).Draw(t, "settings") {
		case 0:
			src.Environment, src.Environments, src.ByTrafficType, src.Identity = "", nil, nil, Anonymous
			filter.Extras, filter.Properties = false, nil
		case 1:
			src.Identity = 0
			filter.Flags = map[string]struct{}{"other": {}, "größe": {}}
		}
		check(t, src, filter, value)
		checkSniffed(t, value)
	})
}

// Values that a member may have, by what it is for. The first is good.
var (
	textValues = []string{
		`"on"`, `"größe"`, `"a\u00e9\ud83d\ude00\n\"\\\/"`, `""`, `null`, `5`, `true`, `[]`, `{"a":1}`,
		`"\ud800"`, "\"\xff\xfe\"", `"\u0000"`, `"e"`, `"anon"`, `"none"`,
		`"` + strings.Repeat("u", maxUser) + `"`, `"` + strings.Repeat("ü", maxUser/2+1) + `"`,
	}
	timeValues = []string{
		`1772446530123`, `"1772446530123"`, `"2026-03-02T10:15:30.123456Z"`, `"2026-03-02t10:15:30+01:30"`,
		`1.772446530123e12`, `1772446530`, `1e400`, `-1`, `1262304000000.9`, `1262303999999.9`, `null`, `""`, `"x"`, `{}`, `false`,
		`9223372036854775807`, `9223372036854775808`, `1e-400`, `"\u0031772446530123"`, `"\udc00"`, "\"\x80\"",
		`"2026-02-29T00:00:00Z"`, `"2024-02-29T23:59:60Z"`, `"1999-01-01T00:00:00Z"`, `" 1772446530123"`,
	}
	versionValues = []string{
		`1665436973467`, `"1665436973467"`, `0`, `-0`, `1e3`, `5.0`, `1.5`, `"1e2"`, `""`, `null`, `"x"`, `"07"`, `{}`, `true`,
		`-9223372036854775808`, `9223372036854775808`, `1e400`, `0e99999999999999999999`, `"\ud800"`,
	}
	objectValues = []string{
		`{"plan":"pro","a":{"b":[1, 2]},"split":null}`, `"{\"plan\":\"p\\u00e9\",\"a\":1}"`, `{}`, `"{}"`, `null`, `""`, `"x"`, `[]`, `7`,
		`"{\"plan\":1,\"plan\":true} "`, `"[1]"`, `"{\"plan\":\"\ud800\"}"`, `{"plan":"\udc00x","pl\u0061n":"last","":0.50}`, "{\"plan\":\"\xff\"}",
		`{"plan":""}`, `" {\"a\":-1e5}x"`,
	}
	typeValues  = []string{`"track"`, `"track"`, `"identify"`, `""`, `null`, `1`, `"tr\u0061ck"`}
	eventValues = []string{`"get_treatment"`, `"get_treatment"`, `"größe"`, `"other"`, `null`, `4`, `""`, `"get\u005ftreatment"`}
)

// likely draws the first of the values most of the time.
func likely(t *rapid.T, values []string) string {
	if rapid.IntRange(0, 15).Draw(t, "bad") > 0 {
		return values[0]
	}
	return rapid.SampledFrom(values).Draw(t, "value")
}

// drawMember draws a member by its name.
func drawMember(t *rapid.T, name string) string {
	values := textValues
	switch name {
	case "time", "timestamp", "m", "originalTimestamp", "sentAt", "receivedAt":
		values = timeValues
	case "splitVersionNumber", "changeNumber", "splitVersion", "c":
		values = versionValues
	case "properties":
		values = objectValues
	case "type":
		values = typeValues
	case "event":
		values = eventValues
	}
	return drawName(t, name) + rapid.SampledFrom([]string{":", " : "}).Draw(t, "colon") + likely(t, values)
}

// drawName spells a name, now and then with an escape.
func drawName(t *rapid.T, name string) string {
	if name != "" && rapid.IntRange(0, 19).Draw(t, "escape") == 0 {
		return fmt.Sprintf(`"\u%04x%s"`, name[0], name[1:])
	}
	return `"` + name + `"`
}

// drawObject draws an object that has most of the names, in some order, some
// other member now and then, and those that are given.
func drawObject(t *rapid.T, names string, given ...string) string {
	members := given
	for _, name := range strings.Fields(names) {
		if rapid.IntRange(0, 29).Draw(t, "missing") > 0 {
			members = append(members, drawMember(t, name))
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "more") == 0 {
		name := rapid.SampledFrom(append(nameText[1:], "", "unknown", "Key")).Draw(t, "name")
		members = append(members, drawMember(t, name))
	}
	if len(members) > 0 && rapid.IntRange(0, 9).Draw(t, "twice") == 0 {
		members = append(members, rapid.SampledFrom(members).Draw(t, "member"))
	}
	if rapid.Bool().Draw(t, "order") {
		members = rapid.Permutation(members).Draw(t, "members")
	}
	return "{" + strings.Join(members, rapid.SampledFrom([]string{",", " ,\n"}).Draw(t, "comma")) + "}"
}

const optionalNames = " label environmentName environmentId bucketingKey trafficTypeId sdk sdkVersion machineName machineIp properties"

// drawList draws an array of what item gives, or something else.
func drawList(t *rapid.T, item func(*rapid.T) string) string {
	if rapid.IntRange(0, 9).Draw(t, "list") == 0 {
		return rapid.SampledFrom([]string{`null`, `[]`, `{}`, `"x"`, `5`}).Draw(t, "no list")
	}
	items := rapid.SliceOfN(rapid.Custom(item), 0, 3).Draw(t, "items")
	return "[ " + strings.Join(items, ",") + "]"
}

// drawElement draws an element or a group.
func drawElement(t *rapid.T) string {
	flat := func(names string) func(*rapid.T) string {
		return func(t *rapid.T) string {
			if rapid.IntRange(0, 19).Draw(t, "odd") == 0 {
				return rapid.SampledFrom([]string{`null`, `[1]`, `{}`, `"x"`, `[]`}).Draw(t, "other")
			}
			return drawObject(t, names)
		}
	}
	switch rapid.IntRange(0, 7).Draw(t, "shape") {
	case 0:
		return flat("key split treatment time splitVersionNumber" + optionalNames)(t)
	case 1:
		return flat("key splitName treatment timestamp splitVersion receptionTimestamp" + optionalNames)(t)
	case 2:
		return flat("key feature treatment timestamp" + optionalNames)(t)
	case 3:
		inner := flat("keyName feature treatment time changeNumber" + optionalNames)(t)
		return drawObject(t, "ip hostname sdkLanguageVersion", `"impression":`+inner)
	case 4:
		group := func(t *rapid.T) string {
			return drawObject(t, "testName", `"keyImpressions":`+drawList(t, flat("keyName treatment time changeNumber"+optionalNames)))
		}
		if rapid.IntRange(0, 4).Draw(t, "bare") == 0 {
			return group(t)
		}
		return drawObject(t, "sdkVersion machineIP machineName", `"impressions":`+drawList(t, group))
	case 5:
		return drawObject(t, "f", `"i":`+drawList(t, flat("k t m c r b properties")))
	case 6:
		return rapid.SampledFrom([]string{`null`, `7`, `[[]]`, `{}`, `{"hello":1}`, `[]`, `true`}).Draw(t, "scalar")
	}
	properties := drawObject(t, "split treatment splitVersionNumber"+optionalNames)
	if rapid.IntRange(0, 4).Draw(t, "string") == 0 {
		properties = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(properties) + `"`
	}
	return drawObject(t, "type event userId anonymousId timestamp originalTimestamp sentAt receivedAt", `"properties":`+properties)
}

// drawRecord draws a record's value.
func drawRecord(t *rapid.T) string {
	if rapid.Bool().Draw(t, "array") {
		return " [" + strings.Join(rapid.SliceOfN(rapid.Custom(drawElement), 0, 3).Draw(t, "elements"), " , ") + "]\n"
	}
	return drawElement(t)
}

// mutate changes, removes, doubles or puts in a byte.
func mutate(t *rapid.T, value []byte) []byte {
	if len(value) == 0 {
		return value
	}
	at := rapid.IntRange(0, len(value)-1).Draw(t, "at")
	b := rapid.SampledFrom([]byte("\"\\{}[],:0-.eE+ntfu \t\x00\x1f\x7f\x80\xff")).Draw(t, "byte")
	head, tail := string(value[:at]), string(value[at+1:])
	switch rapid.IntRange(0, 3).Draw(t, "mutation") {
	case 0:
		return []byte(head + string(b) + tail)
	case 1:
		return []byte(head + tail)
	case 2:
		return []byte(head + string(value[at]) + string(value[at]) + tail)
	}
	return []byte(head + string(b) + string(value[at]) + tail)
}
