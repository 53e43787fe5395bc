package main

import (
	"os"
	"runtime/debug"
)

// workerMemory is what a worker's batches take, as fetched, decompressed and made
// into records, bytes.
const workerMemory = 80 << 20

// limitMemory has the collector keep the process within what it was given, where
// it would let garbage take as much as all that is used. GOMEMLIMIT, if set, says
// otherwise.
func limitMemory(state int64, workers int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit(state, workers))
	}
}

// memoryLimit counts what the collector sees: of the state's memory the half that
// remembers records, which takes half as much again at times.
func memoryLimit(state int64, workers int) int64 {
	return state/4*3 + int64(workers)*workerMemory
}
