package processor

import (
	"traitstream/kafka"
	"traitstream/schemas"
)

// mostCommands is after how many commands a transaction is committed.
const mostCommands = 1000

// command is one that was read from the inbox.
type command struct {
	schemas.Command
	task int32
	user []byte // of a Forget
}

// commanded reads a record of the inbox that is no impression.
func (in *intake) commanded(a *arrival, headers []schemas.Header) error {
	c, err := schemas.ParseCommand(headers)
	r := a.record
	switch {
	case err != nil && isNewer(err):
		return err
	case err != nil:
		a.foreign = err.Error()
	case c.Kind == schemas.Forget && kafka.Partition(r.Key, in.o.Topics.Tasks) != r.Partition:
		a.foreign = "a command in the inbox stands in another partition than its user's"
	case schemas.IsDefining(header(r, schemas.HeaderKind)):
		a.command = true // it was heeded before
	default:
		in.commands = append(in.commands, command{c, r.Partition, r.Key})
		a.command = true
	}
	return nil
}
