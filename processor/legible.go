package processor

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas"
	"traitstream/trait"
)

// mostIllegible is of how many keys a restore keeps records that it can't read,
// in the hope that they are removed further on.
const mostIllegible = 1000

// illegible are the records of a changelog partition that this release can't
// read, by key. One that a later record has replaced or removed is none: a
// compacted log means its last records alone.
type illegible struct {
	into  trait.Record // so that reading allocates nothing
	byKey map[string]illegibleRecord
}

type illegibleRecord struct {
	offset int64
	cause  error
}

// take tells whether a record can be read, and remembers it if not.
func (i *illegible) take(rec *kgo.Record) (legible bool) {
	err := i.read(rec)
	if err == nil {
		if len(i.byKey) > 0 {
			delete(i.byKey, string(rec.Key))
		}
		return true
	}
	if i.byKey == nil {
		i.byKey = map[string]illegibleRecord{}
	}
	i.byKey[string(rec.Key)] = illegibleRecord{rec.Offset, err}
	return false
}

// read reads a record. Any key may be removed.
func (i *illegible) read(rec *kgo.Record) error {
	if rec.Value == nil {
		return nil
	}
	if schemas.IsTaskKey(rec.Key) {
		return schemas.CheckTaskRecord(rec.Key, rec.Value)
	}
	if _, err := schemas.DecodeStateKey(rec.Key); err != nil {
		return err
	}
	return schemas.DecodeRecord(rec.Value, &i.into)
}

// before returns the offset up to which all can be read, next at most.
func (i *illegible) before(next int64) int64 {
	for _, r := range i.byKey {
		next = min(next, r.offset)
	}
	return next
}

// err tells of the first record that can't be read, if there is one.
func (i *illegible) err(topic string, partition int32) error {
	first := i.before(1<<63 - 1)
	for key, r := range i.byKey {
		if r.offset == first {
			return fmt.Errorf("%s, partition %d, offset %d: the record with the key %q, the first of %d, is none of this program's or is of a newer release "+
				"(%w); if something else wrote it, a record with the same key and a null value removes it: put one there and start once with --reset-state",
				topic, partition, first, key, len(i.byKey), r.cause)
		}
	}
	return nil
}
