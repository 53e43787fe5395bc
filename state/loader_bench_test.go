package state

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// loaderBytes is what a loader of a benchmark buffers.
const loaderBytes = 32 << 20

// BenchmarkLoader restores into a store on disk: two tasks side by side, keys
// of 60 and values of 150 bytes, in no order. It tells what is left to compact.
func BenchmarkLoader(b *testing.B) {
	for _, keys := range []int{1_000_000, 4_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			for b.Loop() {
				o := options(b)
				o.CacheBytes = 0
				s := open(b, o)
				errs := make(chan error)
				for task := range int32(2) {
					go func() { errs <- loadMany(s, task, keys/2) }()
				}
				must(b, <-errs)
				must(b, <-errs)
				m := s.db.Metrics()
				b.ReportMetric(float64(m.Levels[0].Sublevels), "sublevels")
				b.ReportMetric(float64(m.Compact.EstimatedDebt)/1e6, "debt-MB")
			}
			b.ReportMetric(float64(keys)*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}

func loadMany(s *Store, task int32, n int) error {
	l := s.NewLoader(task, loaderBytes)
	defer l.Close()
	key := []byte("Uuser-0123456789abcdef-0123456789abcdef\x00\x01back_end_roll_algorithm"[:60])
	value := make([]byte, 150)
	for i := range uint64(n) {
		x := (i + 1) * 0x9E3779B97F4A7C15 // a different one for each i, in no order
		for j := range 16 {
			key[6+j] = "0123456789abcdef"[x>>(60-4*j)&15]
		}
		binary.LittleEndian.PutUint64(value[20:], x*x)
		binary.LittleEndian.PutUint64(value[60:], i)
		l.Put(key, value)
		if l.Full() {
			if err := l.Flush(at(int64(i + 1))); err != nil {
				return err
			}
		}
	}
	return l.Flush(at(int64(n)))
}
