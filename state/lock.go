package state

import "errors"

// ErrLocked tells that another process has the state folder open.
var ErrLocked = errors.New("in use by another process")

// lockName is the file in a state folder that a process locks as long as it has
// the folder open. It stays when the process is gone; the lock does not.
const lockName = "lock"
