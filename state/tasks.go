package state

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Tasks returns the tasks that have a checkpoint or records, in order. It takes
// a seek or two for each, however large they are.
func (s *Store) Tasks() ([]int32, error) {
	if err := s.fuse.err(); err != nil {
		return nil, err
	}
	var tasks []int32
	for _, kind := range []byte{kindRecord, kindCheckpoint} {
		found, err := s.tasksOf(kind)
		if err != nil {
			return nil, fmt.Errorf("listing the tasks in state: %w", s.explain(err))
		}
		tasks = append(tasks, found...)
	}
	slices.Sort(tasks)
	return slices.Compact(tasks), nil
}

// tasksOf returns the tasks that have keys of a kind.
func (s *Store) tasksOf(kind byte) (tasks []int32, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return nil, err
	}
	for ok := it.First(); ok; {
		task := binary.BigEndian.Uint32(it.Key()[1:])
		tasks = append(tasks, int32(task))
		ok = it.SeekGE(binary.BigEndian.AppendUint32([]byte{kind}, task+1))
	}
	return tasks, it.Close()
}
