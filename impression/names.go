package impression

// name is one that some shape gives a meaning to. No name has the number 0.
type name uint8

const (
	_ name = iota
	nKey
	nKeyName
	nK
	nSplit
	nFeature
	nSplitName
	nTestName
	nF
	nTreatment
	nT
	nTime
	nTimestamp
	nM
	nSplitVersionNumber
	nChangeNumber
	nSplitVersion
	nC
	nLabel
	nR
	nEnvironmentName
	nEnvironmentID
	nBucketingKey
	nB
	nTrafficTypeID
	nSDK
	nSDKVersion
	nSDKLanguageVersion
	nMachineName
	nHostname
	nMachineIp //nolint:revive // as some exports spell it; others write machineIP
	nMachineIP
	nIP
	nProperties
	nImpression
	nImpressions
	nKeyImpressions
	nI
	nType
	nEvent
	nUserID
	nAnonymousID
	nOriginalTimestamp
	nSentAt
	nReceivedAt
	nReceptionTimestamp
	numNames
)

// names is a set of them.
type names uint64

func (s names) has(n name) bool { return s>>n&1 != 0 }

// setOf is for the tables that are made once.
func setOf(list ...name) names {
	var s names
	for _, n := range list {
		s |= 1 << n
	}
	return s
}

// nameText spells the names; lookup is its inverse.
var nameText = [numNames]string{
	nKey:                "key",
	nKeyName:            "keyName",
	nK:                  "k",
	nSplit:              "split",
	nFeature:            "feature",
	nSplitName:          "splitName",
	nTestName:           "testName",
	nF:                  "f",
	nTreatment:          "treatment",
	nT:                  "t",
	nTime:               "time",
	nTimestamp:          "timestamp",
	nM:                  "m",
	nSplitVersionNumber: "splitVersionNumber",
	nChangeNumber:       "changeNumber",
	nSplitVersion:       "splitVersion",
	nC:                  "c",
	nLabel:              "label",
	nR:                  "r",
	nEnvironmentName:    "environmentName",
	nEnvironmentID:      "environmentId",
	nBucketingKey:       "bucketingKey",
	nB:                  "b",
	nTrafficTypeID:      "trafficTypeId",
	nSDK:                "sdk",
	nSDKVersion:         "sdkVersion",
	nSDKLanguageVersion: "sdkLanguageVersion",
	nMachineName:        "machineName",
	nHostname:           "hostname",
	nMachineIp:          "machineIp",
	nMachineIP:          "machineIP",
	nIP:                 "ip",
	nProperties:         "properties",
	nImpression:         "impression",
	nImpressions:        "impressions",
	nKeyImpressions:     "keyImpressions",
	nI:                  "i",
	nType:               "type",
	nEvent:              "event",
	nUserID:             "userId",
	nAnonymousID:        "anonymousId",
	nOriginalTimestamp:  "originalTimestamp",
	nSentAt:             "sentAt",
	nReceivedAt:         "receivedAt",
	nReceptionTimestamp: "receptionTimestamp",
}

// lookup finds a name, or returns 0. A switch was faster than a map.
func lookup(text []byte) name { //nolint:funlen // a table
	switch string(text) {
	case "key":
		return nKey
	case "keyName":
		return nKeyName
	case "k":
		return nK
	case "split":
		return nSplit
	case "feature":
		return nFeature
	case "splitName":
		return nSplitName
	case "testName":
		return nTestName
	case "f":
		return nF
	case "treatment":
		return nTreatment
	case "t":
		return nT
	case "time":
		return nTime
	case "timestamp":
		return nTimestamp
	case "m":
		return nM
	case "splitVersionNumber":
		return nSplitVersionNumber
	case "changeNumber":
		return nChangeNumber
	case "splitVersion":
		return nSplitVersion
	case "c":
		return nC
	case "label":
		return nLabel
	case "r":
		return nR
	case "environmentName":
		return nEnvironmentName
	case "environmentId":
		return nEnvironmentID
	case "bucketingKey":
		return nBucketingKey
	case "b":
		return nB
	case "trafficTypeId":
		return nTrafficTypeID
	case "sdk":
		return nSDK
	case "sdkVersion":
		return nSDKVersion
	case "sdkLanguageVersion":
		return nSDKLanguageVersion
	case "machineName":
		return nMachineName
	case "hostname":
		return nHostname
	case "machineIp":
		return nMachineIp
	case "machineIP":
		return nMachineIP
	case "ip":
		return nIP
	case "properties":
		return nProperties
	case "impression":
		return nImpression
	case "impressions":
		return nImpressions
	case "keyImpressions":
		return nKeyImpressions
	case "i":
		return nI
	case "type":
		return nType
	case "event":
		return nEvent
	case "userId":
		return nUserID
	case "anonymousId":
		return nAnonymousID
	case "originalTimestamp":
		return nOriginalTimestamp
	case "sentAt":
		return nSentAt
	case "receivedAt":
		return nReceivedAt
	case "receptionTimestamp":
		return nReceptionTimestamp
	}
	return 0
}
