// Package state remembers: it keeps what was last seen of every user's traits
// in one Pebble store per process.
//
// The store holds, for each task, the records of its users and a [Checkpoint]
// that tells up to which changelog offset they are complete. Both are written
// in one batch, so after any crash they agree, and what is missing is the
// changelog's tail. Kafka is the truth; the store is a copy of it that can be
// rebuilt, and is therefore written without waiting for the disk.
//
// A transaction in progress works on an [Overlay]: it names the keys that it
// wants, loads them together in key order, changes the records in memory, and
// either applies them with the checkpoint after Kafka has committed or drops
// them. Restoring writes the changelog's own bytes through a [Batch].
package state
