package impression

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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

// BenchmarkTokenizers compares what lies beneath: the scanner of this package
// against other readers that check the same bytes and build nothing.
func BenchmarkTokenizers(b *testing.B) {
	record := readRecords(b, "segment-track.jsonl")[1]
	for name, valid := range map[string]func([]byte) bool{
		"scanner":       scans,
		"jsontext":      validJSON,
		"encoding-json": json.Valid,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			for b.Loop() {
				if !valid(record) {
					b.Fatal("not valid")
				}
			}
		})
	}
}

// BenchmarkStruct is what the decoder would be on encoding/json: the same facts
// of the same event by a struct.
func BenchmarkStruct(b *testing.B) {
	record := readRecords(b, "segment-track.jsonl")[1]
	type event struct {
		Type, Event, UserID, AnonymousID string
		Timestamp                        string
		Properties                       struct {
			Split, Treatment, Label, EnvironmentName, EnvironmentID string
			SplitVersionNumber                                      int64
		}
	}
	readers := map[string]func([]byte, any) error{
		"encoding-json": json.Unmarshal,
		"json-v2": func(data []byte, v any) error {
			return jsonv2.Unmarshal(data, v, jsonv2.MatchCaseInsensitiveNames(true),
				jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
		},
	}
	for name, read := range readers {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			for b.Loop() {
				var e event
				if err := read(record, &e); err != nil || e.Properties.Split == "" {
					b.Fatal(err, e)
				}
			}
		})
	}
}
