package trait

import (
	"fmt"
	"slices"
	"strings"

	"traitstream/impression"
)

// fact is something that an impression tells, by the export's own name.
type fact uint8

const (
	noFact fact = iota
	split
	treatment
	label
	environmentName
	environmentID
	version
	userKey
	bucketingKey
	trafficTypeID
	sdk
	sdkVersion
	machineName
	machineIP
	source
	property // properties.NAME
)

const propertyPrefix = "properties."

// factNames follow the order of the constants.
var factNames = [...]string{
	"", "split", "treatment", "label", "environmentName", "environmentId", "splitVersionNumber", "key",
	"bucketingKey", "trafficTypeId", "sdk", "sdkVersion", "machineName", "machineIp", "source",
}

// reference names a fact, or a custom property by its name and by its place in
// Filter.Properties.
type reference struct {
	fact  fact
	name  string
	index int
}

func parseReference(text string) (reference, error) {
	if name, ok := strings.CutPrefix(text, propertyPrefix); ok && name != "" {
		return reference{fact: property, name: name}, nil
	}
	names := factNames[1:]
	if i := slices.Index(names, text); i >= 0 {
		return reference{fact: fact(i + 1)}, nil
	}
	return reference{}, fmt.Errorf("unknown property %q%s; allowed are %s and %sNAME",
		text, suggest(text, names), strings.Join(names, ", "), propertyPrefix)
}

func (r reference) String() string {
	if r.fact == property {
		return propertyPrefix + r.name
	}
	return factNames[r.fact]
}

// extra tells whether the fact is one that the decoder reads on demand.
func (r reference) extra() bool {
	return r.fact >= bucketingKey && r.fact <= machineIP
}

// text returns a fact that is text; nil is absent.
func (f fact) text(imp *impression.Impression) []byte {
	switch f {
	case split:
		return imp.Flag
	case treatment:
		return imp.Treatment
	case label:
		return imp.Label
	case environmentName:
		return imp.EnvironmentName
	case environmentID:
		return imp.EnvironmentID
	case userKey:
		return imp.User
	case bucketingKey:
		return imp.BucketingKey
	case trafficTypeID:
		return imp.TrafficTypeID
	case sdk:
		return imp.SDK
	case sdkVersion:
		return imp.SDKVersion
	case machineName:
		return imp.MachineName
	case machineIP:
		return imp.MachineIP
	}
	return nil
}
