package state

import (
	"encoding/binary"
	"slices"

	"traitstream/schemas"
	"traitstream/trait"
)

// The first byte of every key in the store. Written to disk; never reused.
const (
	kindRecord     = 1 // then the task and the state key
	kindCheckpoint = 2 // then the task
	kindMeta       = 3 // then a name
)

// prefixLen is the length of kind and task before a state key.
const prefixLen = 1 + 4

// appendTask appends a kind and a task. A task is a partition number, kept in
// its four bytes, highest first, so a task's keys lie together.
func appendTask(dst []byte, kind byte, task int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, kind), uint32(task))
}

func appendRecordKey(dst []byte, task int32, k trait.Key) []byte {
	return schemas.AppendStateKey(appendTask(dst, kindRecord, task), k)
}

// taskRange returns the first key of a task's records and the first after.
func taskRange(task int32) (lower, upper []byte) {
	lower = appendTask(nil, kindRecord, task)
	upper = slices.Clone(lower)
	binary.BigEndian.PutUint32(upper[1:], uint32(task)+1)
	return lower, upper
}
