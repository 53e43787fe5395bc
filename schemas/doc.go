// Package schemas is the contract with the outside: the bytes of what
// traitstream writes to Kafka and reads back.
//
// There are three kinds. A change goes to the traits topic as JSON that any
// subscriber reads ([AppendKey], [AppendValue]). A record is the state of one
// trait of one user in a compact binary form, the same in the changelog topic
// and in the local store, so that a restore copies bytes ([AppendStateKey],
// [AppendRecord]). Headers tell what a record's key and value don't: the id of
// a change, the place of a forwarded impression, the reason of a dead letter.
//
// The bytes of a key never change between releases, since compaction compares
// them. A value carries its version or is only ever added to; a newer release
// reads what an older one wrote, and an older one refuses newer data with a
// [*VersionError].
package schemas
