package state

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// DropTask removes a task's records and its checkpoint, at once and for good:
// it waits for the disk. No batch, overlay or loader of the task may be open.
func (s *Store) DropTask(task int32) error {
	defer s.holders.take(task, nil)
	if empty, err := s.empty(task); empty || err != nil {
		return err
	}
	if err := s.fuse.run(func() error { return s.excise(task) }); err != nil {
		return fmt.Errorf("dropping task %d from state: %w", task, err)
	}
	s.absences.dropped(task)
	return nil
}

// excise takes the task's tables out of the store. A range tombstone would
// leave them to compactions, under which what is loaded next would lie.
func (s *Store) excise(task int32) error {
	table, err := s.writeTable(func(w *sstable.Writer) error {
		return w.Delete(appendTask(nil, kindCheckpoint, task))
	})
	if err != nil {
		return err
	}
	lower, upper := taskRange(task)
	_, err = s.db.IngestAndExcise(context.Background(), []string{table}, nil, nil, pebble.KeyRange{Start: lower, End: upper})
	return s.explain(err)
}

// empty tells whether a task has neither records nor a checkpoint.
func (s *Store) empty(task int32) (bool, error) {
	if _, ok, err := s.Checkpoint(task); ok || err != nil {
		return false, err
	}
	empty := true
	err := s.scan(task, func(Entry) bool { empty = false; return false })
	return empty, err
}

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
