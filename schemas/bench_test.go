package schemas

import (
	"testing"

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
