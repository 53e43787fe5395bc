// Package avro reads Avro by the schema that it was written with, as JSON, and
// knows how a record tells which schema that is.
//
// Reading by the writer's schema alone is all the evolution that a reader by
// names needs: a field that it does not know is passed over, one that is missing
// is absent, and a number is a number, whatever its width.
//
// What comes in may be anything. A body that does not fit its schema is an error,
// never a panic, and takes no more memory than a bound that grows with its size.
package avro
