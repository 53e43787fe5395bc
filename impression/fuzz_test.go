package impression

import (
	"testing"
)

var exampleFiles = []string{
	"segment-track.jsonl", "split-webhook.json", "listener.jsonl",
	"synchronizer.jsonl", "bulk.json", "s3-export.jsonl", "bad.jsonl",
}

func FuzzAuto(f *testing.F)              { fuzz(f, Auto) }
func FuzzSegment(f *testing.F)           { fuzz(f, Segment) }
func FuzzSplitWebhook(f *testing.F)      { fuzz(f, SplitWebhook) }
func FuzzSplitListener(f *testing.F)     { fuzz(f, SplitListener) }
func FuzzSplitSynchronizer(f *testing.F) { fuzz(f, SplitSynchronizer) }
func FuzzSplitBulk(f *testing.F)         { fuzz(f, SplitBulk) }
func FuzzSplitExport(f *testing.F)       { fuzz(f, SplitExport) }

// maxSeed keeps the fuzzer from spending its time on the one deep record.
const maxSeed = 10_000

// fuzz holds the decoder against the reference.
func fuzz(f *testing.F, format Format) {
	for _, file := range exampleFiles {
		for _, record := range readRecords(f, file) {
			if len(record) < maxSeed {
				f.Add(record)
			}
		}
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		check(t, testSource(format), testFilter, value)
		checkSniffed(t, value)
	})
}
