package impression

// aliases tells by which names an object holds what an impression tells.
type aliases struct {
	user, flag, treatment, time, version    names
	label, environmentName, environmentID   names
	bucketingKey, trafficType               names
	sdk, sdkVersion, machineName, machineIP names
}

// The objects that hold facts. In groups the flag is the group's alone.
var (
	flatAliases = aliases{
		user:            setOf(nKey, nKeyName),
		flag:            setOf(nSplit, nFeature, nSplitName, nTestName),
		treatment:       setOf(nTreatment),
		time:            setOf(nTime, nTimestamp),
		version:         setOf(nSplitVersionNumber, nChangeNumber, nSplitVersion),
		label:           setOf(nLabel),
		environmentName: setOf(nEnvironmentName),
		environmentID:   setOf(nEnvironmentID),
		bucketingKey:    setOf(nBucketingKey),
		trafficType:     setOf(nTrafficTypeID),
		sdk:             setOf(nSDK),
		sdkVersion:      setOf(nSDKVersion),
		machineName:     setOf(nMachineName),
		machineIP:       setOf(nMachineIp, nMachineIP),
	}
	bulkAliases = withShortNames(flatAliases)
	// segmentAliases are those under "properties".
	segmentAliases = forSegment(flatAliases)
	// outerAliases are those of the object around a listener's or
	// Synchronizer's impressions.
	outerAliases = aliases{
		sdkVersion:  setOf(nSDKVersion, nSDKLanguageVersion),
		machineName: setOf(nMachineName, nHostname),
		machineIP:   setOf(nMachineIp, nMachineIP, nIP),
	}
)

func withShortNames(a aliases) aliases {
	a.user |= setOf(nK)
	a.treatment |= setOf(nT)
	a.time |= setOf(nM)
	a.version |= setOf(nC)
	a.label |= setOf(nR)
	a.bucketingKey |= setOf(nB)
	return a
}

// forSegment keeps one name for the flag, and none for user and time, which
// Segment has outside.
func forSegment(a aliases) aliases {
	a.user, a.time = 0, 0
	a.flag = setOf(nSplit)
	return a
}
