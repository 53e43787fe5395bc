package oracle_test

import (
	"os"
	"path/filepath"
	"testing"

	"traitstream/internal/oracle"
)

// Any bytes are read alike, under any of the set-ups.
func FuzzRoomsAgree(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.json*")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no examples: %v", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for i, v := range oracle.SplitFile(data, filepath.Ext(path) == ".jsonl") {
			f.Add(byte(i), v.Data)
		}
	}
	for i, r := range asRecords(oracle.Generate(1, oracle.Options{Users: 5, Events: 20, Faults: 0.3, Ahead: true})) {
		f.Add(byte(i), r.Value)
	}
	f.Fuzz(func(t *testing.T, setup byte, value []byte) {
		agree(t, setups[int(setup)%len(setups)], []oracle.Record{{Topic: "in", Timestamp: oracle.Stamp, Value: value}})
	})
}
