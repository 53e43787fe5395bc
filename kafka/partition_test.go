package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

// The vectors of Kafka's own UtilsTest.
var vectors = []struct {
	key  string
	hash int32
	of12 int32
}{
	{"21", -973932308, 0},
	{"foobar", -790332482, 6},
	{"abc", 479470107, 3},
	{"a-little-bit-long-string", -985981536, 8},
	{"a-little-bit-longer-string", -1486304829, 11},
	{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971, 5},
}

func TestPartitionOfKnownKeys(t *testing.T) {
	for _, v := range vectors {
		if got := int32(murmur2([]byte(v.key))); got != v.hash {
			t.Errorf("murmur2(%q) = %d, want %d", v.key, got, v.hash)
		}
		if got := Partition([]byte(v.key), 12); got != v.of12 {
			t.Errorf("Partition(%q, 12) = %d, want %d", v.key, got, v.of12)
		}
	}
}

func TestPartitionIsWhereTheClientProduces(t *testing.T) {
	topic := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	rapid.Check(t, func(t *rapid.T) {
		// A nil key has no place; an empty one has.
		key := append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "key")...)
		n := rapid.Int32Range(1, 10000).Draw(t, "partitions")
		if got, want := Partition(key, n), topic.Partition(&kgo.Record{Key: key}, int(n)); int(got) != want {
			t.Fatalf("Partition(%q, %d) = %d, the client says %d", key, n, got, want)
		}
	})
}

func TestPartitionDoesNotAllocate(t *testing.T) {
	key := []byte("user-1042")
	if n := testing.AllocsPerRun(100, func() { Partition(key, 12) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPartition(b *testing.B) {
	key := []byte("5f0c77e2-0000-4000-8000-00000000a001")
	b.ReportAllocs()
	for b.Loop() {
		Partition(key, 12)
	}
}
