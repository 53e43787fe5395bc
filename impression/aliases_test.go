package impression

import (
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	for n := name(1); n < numNames; n++ {
		if nameText[n] == "" || lookup([]byte(nameText[n])) != n {
			t.Errorf("name %d, %q, is looked up as %d", n, nameText[n], lookup([]byte(nameText[n])))
		}
	}
	for _, text := range []string{"", "Key", "keyname", "machineip", "id"} {
		if lookup([]byte(text)) != 0 {
			t.Errorf("%q is known", text)
		}
	}
}

// TestAliases gives each fact under each of its names, in each of Split's own
// shapes.
func TestAliases(t *testing.T) {
	shapes := map[Format]string{
		SplitWebhook:      `{MEMBERS}`,
		SplitExport:       `[{MEMBERS}]`,
		SplitListener:     `{"impression":{MEMBERS}}`,
		SplitSynchronizer: `{"impressions":[{"testName":"f","keyImpressions":[{MEMBERS}]}]}`,
		SplitBulk:         `[{"f":"f","i":[{MEMBERS}]}]`,
	}
	long := map[string][]string{
		"user": {"key", "keyName"}, "flag": {"split", "feature", "splitName", "testName"}, "treatment": {"treatment"},
		"time": {"time", "timestamp"}, "version": {"splitVersionNumber", "changeNumber", "splitVersion"}, "label": {"label"},
		"environmentName": {"environmentName"}, "environmentId": {"environmentId"}, "bucketingKey": {"bucketingKey"},
		"trafficTypeId": {"trafficTypeId"}, "sdk": {"sdk"}, "sdkVersion": {"sdkVersion"}, "machineName": {"machineName"},
		"machineIp": {"machineIp", "machineIP"},
	}
	short := map[string]string{"user": "k", "treatment": "t", "time": "m", "version": "c", "label": "r", "bucketingKey": "b"}
	for format, shape := range shapes {
		for fact, names := range long {
			if format == SplitBulk && short[fact] != "" {
				names = append(names, short[fact])
			}
			if fact == "flag" && (format == SplitBulk || format == SplitSynchronizer) {
				continue // the flag is the group's
			}
			for _, alias := range names {
				checkAlias(t, format, fact, alias, shape)
			}
		}
	}
}

// checkAlias decodes an impression whose fact has the name alias.
func checkAlias(t *testing.T, format Format, fact, alias, shape string) {
	t.Helper()
	members := map[string]string{
		"user": `"key":"u"`, "flag": `"split":"f"`, "treatment": `"treatment":"t"`, "time": `"time":1772446530123`,
	}
	want := map[string]string{"identity": "user", "user": "u", "flag": "f", "treatment": "t", "environmentName": "Prod-Default"}
	version, seenAt := int64(0), int64(1772446530123)
	value := `"x"`
	switch fact {
	case "time":
		value, seenAt = `1772446530999`, 1772446530999
	case "version":
		value, version = `7`, 7
	case "environmentId":
		delete(want, "environmentName")
		want[fact] = "x"
	default:
		want[fact] = "x"
	}
	members[fact] = `"` + alias + `":` + value
	var list []string
	for _, member := range members {
		list = append(list, member)
	}
	record := strings.Replace(shape, "MEMBERS", strings.Join(list, ","), 1)
	got := NewDecoder(testSource(format), Filter{Extras: true}).Decode(nil, []byte(record))
	if len(got) != 1 {
		t.Fatalf("%s: %d elements", record, len(got))
	}
	if o := outcomeOf(&got[0]); !o.same(outcome{Facts: want, Version: version, SeenAt: seenAt, Offset: o.Offset}) {
		t.Errorf("%s as %s: %+v %s, want %v", record, format, o, got[0].Message, want)
	}
}

// TestSegmentAliases does the same for Segment, whose facts stand in two places.
func TestSegmentAliases(t *testing.T) {
	const frame = `{"event":"get_treatment","userId":"u","timestamp":"2026-03-02T10:15:30.123Z","properties":{"split":"f","treatment":"t",MEMBERS}}`
	for fact, names := range map[string]string{
		"version": "splitVersionNumber changeNumber splitVersion", "label": "label", "environmentName": "environmentName",
		"environmentId": "environmentId", "bucketingKey": "bucketingKey", "trafficTypeId": "trafficTypeId", "sdk": "sdk",
		"sdkVersion": "sdkVersion", "machineName": "machineName", "machineIp": "machineIp machineIP",
	} {
		for _, alias := range strings.Fields(names) {
			value := `"x"`
			if fact == "version" {
				value = `7`
			}
			record := strings.Replace(frame, "MEMBERS", `"`+alias+`":`+value, 1)
			got := NewDecoder(testSource(Segment), testFilter).Decode(nil, []byte(record))
			if len(got) != 1 || got[0].Outcome != Accepted {
				t.Fatalf("%s: %+v", record, got)
			}
			o := outcomeOf(&got[0])
			if fact == "version" && o.Version != 7 || fact != "version" && o.Facts[fact] != "x" {
				t.Errorf("%s: %+v", record, o)
			}
		}
	}
	for alias, facts := range map[string]string{
		"userId": "user", "anonymousId": "anonymous",
	} {
		record := strings.Replace(strings.Replace(frame, "MEMBERS", `"key":"other"`, 1), "userId", alias, 1)
		got := NewDecoder(testSource(Auto), testFilter).Decode(nil, []byte(record))
		if o := outcomeOf(&got[0]); o.Facts["user"] != "u" || o.Facts["identity"] != facts {
			t.Errorf("%s: %+v", record, o)
		}
	}
}
