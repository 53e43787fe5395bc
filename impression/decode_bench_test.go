package impression

import (
	"bytes"
	"os"
	"testing"
)

// BenchmarkDecode decodes the records of an example file over and over. An
// event is an element.
func BenchmarkDecode(b *testing.B) {
	for _, file := range []string{
		"segment-track.jsonl", "split-webhook.json", "listener.jsonl",
		"synchronizer.jsonl", "bulk.json", "s3-export.jsonl",
	} {
		b.Run(file, func(b *testing.B) {
			benchmark(b, readRecords(b, file), Filter{Events: []string{"get_treatment"}})
		})
	}
}

// BenchmarkDecodeExtras is the same with conditions on fields beyond the facts.
func BenchmarkDecodeExtras(b *testing.B) {
	filter := Filter{Events: []string{"get_treatment"}, Extras: true, Properties: []string{"plan", "key"}}
	b.Run("segment-track.jsonl", func(b *testing.B) {
		benchmark(b, readRecords(b, "segment-track.jsonl"), filter)
	})
}

func benchmark(b *testing.B, records [][]byte, filter Filter) {
	d := NewDecoder(Source{Format: Auto, Identity: User}, filter)
	var elements []Element
	size, events := 0, 0
	for _, record := range records {
		size += len(record)
		events += len(d.Decode(nil, record))
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		d.Reset()
		for _, record := range records {
			elements = d.Decode(elements[:0], record)
		}
	}
	perEvent := float64(b.Elapsed().Nanoseconds()) / float64(b.N*events)
	b.ReportMetric(perEvent, "ns/event")
	b.ReportMetric(1e9/perEvent, "events/s")
}

// readRecords returns the records of an example file: the whole of a .json
// file, the lines of a .jsonl file.
func readRecords(tb testing.TB, file string) [][]byte {
	tb.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		tb.Fatal(err)
	}
	if bytes.HasSuffix([]byte(file), []byte(".json")) {
		return [][]byte{data}
	}
	return bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
}
