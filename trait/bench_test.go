package trait

import "testing"

func BenchmarkMerge(b *testing.B) {
	values := [][]byte{[]byte(`"on"`), []byte(`"off"`)}
	in := input{Register: Register{SeenAt: 1, Treatment: []byte("on"), Value: values[0]}}
	for _, bench := range []struct {
		name string
		next func(i int)
	}{
		{"change", func(i int) { in.SeenAt++; in.Value = values[i&1] }},
		{"same", func(int) { in.SeenAt++ }},
		{"late", func(int) { in.SeenAt = 0 }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			rec := Record{}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				bench.next(i)
				merge(&rec, in)
			}
		})
	}
}

func BenchmarkChangeID(b *testing.B) {
	e := Emission{Sent: true, Value: []byte(`"on"`), Facts: Facts{Place: Place{Topic: "impressions", Offset: 1 << 40}}}
	b.ReportAllocs()
	for b.Loop() {
		ChangeID("traitstream", testKey, &e)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, bench := range []struct {
		name string
		def  Definition
	}{
		{"plain", Definition{Name: name(b, "{split}")}},
		{"rich", rich(b)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			m := set(b, bench.def).NewMatcher()
			imp := seen()
			var matches []Match
			b.ReportAllocs()
			for b.Loop() {
				m.Reset()
				matches, _ = m.Match(matches[:0], imp)
			}
		})
	}
}
