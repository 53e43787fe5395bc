// Package deadletter reads the topic of what was refused and puts letters of it
// back into the sources that they came from, once.
//
// A letter is put back by a transaction that also writes into the control topic
// which letters these were, so both happen or neither, whenever the command is
// killed. Whoever begins shuts out, by the transactional id, who was at it
// before; only then are the marks of the control topic read. Hence two commands
// at once, or one after another, never put the same letter back twice.
//
// What was put back carries a header with its letter's place. If it is refused
// again the new letter has that header too, and is left alone: nothing goes round
// for ever.
package deadletter
