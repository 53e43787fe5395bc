package explorer

import (
	"fmt"

	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/state"
)

// Folder tells what a process that has stopped has left in its state folder.
type Folder struct {
	Store *state.Store
	Dir   string
	Teller
}

// look finds the task and looks the user up.
func (f *Folder) look(l state.Lookup) (*state.Known, error) {
	n, err := processor.TasksOf(f.Store)
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, fmt.Errorf("folder %s has the state of no task: no process has run on it", f.Dir)
	}
	l.Task = kafka.Partition([]byte(l.User.ID), n)
	cp, ok, err := f.Store.Checkpoint(l.Task)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("folder %s has no state of task %d, which is the user's: another process has it", f.Dir, l.Task)
	}
	f.Origin = Origin{Kind: FromFolder, Task: l.Task, Dir: f.Dir, Committed: timeOf(cp.Committed)}
	return f.Store.NewOverlay().Known(l)
}

// All tells of the traits of a user behind a name.
func (f *Folder) All(u state.User, behind *string) (*User, error) {
	l := state.Lookup{User: u, Most: MaxTraits}
	if behind != nil {
		l.Behind = []byte(*behind)
	}
	k, err := f.look(l)
	if err != nil {
		return nil, err
	}
	return f.User(u, k), nil
}

// One tells of one trait.
func (f *Folder) One(u state.User, name string) (*Trait, error) {
	k, err := f.look(state.Lookup{User: u, Trait: []byte(name), Most: 1})
	if err != nil {
		return nil, err
	}
	return f.Trait(u, name, k), nil
}
