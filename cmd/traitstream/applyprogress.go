package main

import (
	"fmt"
	"time"

	"traitstream/processor"
	"traitstream/schemas"
)

// computes tells whether a job is that of a generation of definitions.
func computes(j *schemas.Job, generation uint32) bool {
	return j.Emit == schemas.EmitDefine && j.Generation == generation
}

// progressOf tells how far a job is that computes definitions: how much of the history is
// read, and when that is all, how many tasks have gone over. How much there is to read is
// known when all tasks have begun; until then nothing is done of it.
func progressOf(s *processor.JobStatus) reading {
	read := reading{doing: "reading history "}
	done, begun := 0, len(s.Reports)
	for i := range s.Reports {
		read.done += s.Reports[i].Read
		read.total += s.Reports[i].Total
		if s.Reports[i].Done {
			done++
		}
	}
	tasks := int(s.Tasks)
	switch {
	case begun < tasks:
		read.done, read.total = 0, 0
		read.words = fmt.Sprintf(" %d of %s begun", begun, plural(tasks, "task has", "tasks have"))
	case done < tasks:
		read.words = fmt.Sprintf(" %s of %s offsets", humanCount(read.done), humanCount(read.total))
	default:
		read.done, read.total, read.doing = int64(s.Switched()), int64(tasks), "going over "
		read.words = fmt.Sprintf(" %d of %s gone over", read.done, plural(tasks, "task has", "tasks have"))
	}
	read.attributes = []any{"generation", s.Job.Generation, "stage", read.doing[:len(read.doing)-1], "done", read.done, "of", read.total}
	if since := waitsSince(s); since > 0 {
		read.words += "  " + waitsFor(time.UnixMilli(since))
		read.attributes = append(read.attributes, "waits_since", time.UnixMilli(since).UTC())
	}
	return read
}
