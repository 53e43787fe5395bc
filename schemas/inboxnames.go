package schemas

// IsInboxHeader tells whether a header is one that the inbox adds.
func IsInboxHeader(name string) bool {
	switch name {
	case headerKind, headerTopic, headerPartition, headerOffset, headerIndex, headerTimestamp:
		return true
	}
	return false
}
