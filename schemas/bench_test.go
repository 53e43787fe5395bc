package schemas

import (
	"testing"

	hamba "github.com/hamba/avro/v2"

	"traitstream/impression"
	"traitstream/schemas/avro"
	"traitstream/trait"
)

func BenchmarkChange(b *testing.B) {
	k, r := example()
	id := trait.ChangeID("traitstream", k, &r.Emitted)
	b.Run("key", func(b *testing.B) {
		var dst []byte
		b.ReportAllocs()
		for b.Loop() {
			dst = AppendKey(dst[:0], k)
		}
	})
	b.Run("value", func(b *testing.B) {
		var dst []byte
		b.ReportAllocs()
		for b.Loop() {
			dst = AppendValue(dst[:0], k, &r.Emitted, id)
		}
		b.ReportMetric(float64(len(dst)), "bytes")
	})
	b.Run("record", func(b *testing.B) {
		var dst []byte
		b.ReportAllocs()
		for b.Loop() {
			dst, _ = AppendChange(dst[:0], k, &r.Emitted, id)
		}
		b.ReportMetric(float64(len(dst)), "bytes")
	})
}

// The same record in Avro.
func BenchmarkAvroChange(b *testing.B) {
	k, r := example()
	id := trait.ChangeID("traitstream", k, &r.Emitted)
	w := NewChangeWriter(NewAvro(1, 2, nil))
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = w.Append(dst[:0], k, &r.Emitted, id)
	}
	b.ReportMetric(float64(len(dst)), "bytes")
}

// An impression in Avro, beside the same in JSON.
func BenchmarkAvroSource(b *testing.B) {
	body, err := hamba.Marshal(hamba.MustParse(webhookAvro), map[string]any{
		"key": map[string]any{"string": "user-1042"}, "split": "back_end_roll_algorithm", "treatment": "on", "time": int64(1772446530123),
		"label": map[string]any{"string": "default rule"}, "environmentName": map[string]any{"string": "Production"},
		"splitVersionNumber": int64(1665436973467), "sdk": "go-6.5.2", "properties": map[string]any{"plan": map[string]any{"string": "pro"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	value := append(avro.AppendPrefix(nil, 1), body...)
	text, ok, err := AppendFacts(nil, value, nil, registered(webhookAvro))
	if err != nil || !ok {
		b.Fatal(ok, err)
	}
	src := avroSource()
	for _, c := range []struct {
		format impression.Format
		value  []byte
	}{{impression.Avro, value}, {impression.SplitWebhook, text}} {
		b.Run(string(c.format), func(b *testing.B) {
			src.Format = c.format
			d := NewDecoder(src, sourceFilter, registered(webhookAvro))
			var elements []impression.Element
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%1000 == 0 {
					d.Reset()
				}
				if elements, err = d.Decode(elements[:0], c.value, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkState(b *testing.B) {
	k, r := example()
	key, record := AppendStateKey(nil, k), AppendRecord(nil, &r)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			key = AppendStateKey(key[:0], k)
			record = AppendRecord(record[:0], &r)
		}
		b.ReportMetric(float64(len(key)+len(record)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		var got trait.Record
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeStateKey(key); err != nil {
				b.Fatal(err)
			}
			if err := DecodeRecord(record, &got); err != nil {
				b.Fatal(err)
			}
		}
	})
}
