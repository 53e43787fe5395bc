package schemas

import _ "embed" // the schemas are files for others to read too

// The Avro schemas of the traits topic's keys and values, as they are registered.
var (
	//go:embed key.avsc
	KeyAvro string
	//go:embed value.avsc
	ValueAvro string
)
