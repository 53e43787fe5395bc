// Package verify recomputes the traits from the sources and compares them with
// what the program made of them: the traits topic, the changelog and the local
// state.
//
// The recomputation is not the program's own. Records are read by the oracle, a
// second, slow and plain reading of the contract that shares no code with the
// decoder and the definitions, and what it sees of a trait is merged here by the
// one rule that the greatest sighting wins.
//
// The group may be at work meanwhile. So a verification looks through a [cut]:
// the group's committed offsets; then the ends of the outputs; then, once no
// transaction is open below these, the committed offsets again. What lies before
// the first offsets and is merged for certain is the base of a trait; what lies
// between the two, and what was forwarded and still waits in the inbox, may or
// may not have been merged: it is in flux. As the register of a trait is a
// maximum, a trait that is right says either the greatest of its base, or one in
// flux that is greater still. A trait with nothing in flux must say one thing
// alone, and its traits topic and changelog must agree to the byte.
//
// Replay jobs are read from the control topic, before the cut is taken and at its
// end. What a job has read of a source before the place where the group began is a
// part of the base if the job was done before, and else in flux; its order is not
// that of the source, so that nothing but the result counts there. What a job was to
// fill in without sending it may stand in the changelog alone, until the next change
// of its trait. What a job has sent again must be what was sent last.
//
// Under definitions that came later, the last change of a trait is held against those of
// the generation under which it was made, and the order of changes no more than that each
// goes on from the one before: the first of them sums up what was before. Of a task that
// goes over to other definitions the sources are not compared, which the report says.
//
// What differs is looked at a second time, through a new cut, and is a
// difference only if it differs again: compaction and retention may take away
// what was about to be read.
//
// Memory is bounded by taking the tasks in passes: a pass reads all sources, but
// keeps the traits of its own tasks alone.
//
// Nothing is written, and the group is not joined.
package verify
