package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"traitstream/impression"
	"traitstream/schemas"
	"traitstream/trait"
)

// genContent draws what a batch may hold: text that comes again, some of it with
// small changes and far behind, and bytes that make no sense.
func genContent() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		var content []byte
		for range rapid.IntRange(0, 6).Draw(t, "parts") {
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				content = append(content, rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")...)
			case 1:
				part := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "part")
				content = append(content, bytes.Repeat(part, rapid.IntRange(1, 3000).Draw(t, "times"))...)
			case 2:
				content = append(content, noise(rapid.IntRange(0, 100_000).Draw(t, "noise"))...)
			default:
				content = append(content, changes(rapid.IntRange(0, 300).Draw(t, "changes"))...)
			}
		}
		return content
	})
}

// noise returns n bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b)
	return b
}

// changes returns what a batch of n changes and their states is like.
func changes(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for i := range n {
		user := fmt.Appendf(nil, "user-%07d", r.IntN(400_000))
		key := trait.Key{Identity: impression.User, User: user, Trait: fmt.Appendf(nil, "flag_%02d", r.IntN(20))}
		e := trait.Emission{Sent: true, Value: []byte(`"on"`), Previous: []byte(`"off"`), SeenAt: 1_700_000_000_000 + int64(i), Version: 3}
		e.Facts.Flag, e.Facts.Environment, e.Facts.Definition = key.Trait, []byte("production"), "from_split"
		e.Facts.Place = trait.Place{Topic: "impressions", Partition: 3, Offset: int64(7 * i), Index: -1, Timestamp: e.SeenAt}
		seen := trait.Register{SeenAt: e.SeenAt, Version: 3, Treatment: []byte("on"), Value: e.Value}
		b = schemas.AppendKey(b, key)
		b = schemas.AppendValue(b, key, &e, trait.ChangeID("bench", key, &e))
		b = schemas.AppendStateKey(b, key)
		b = schemas.AppendRecord(b, &trait.Record{Seen: seen, Emitted: e})
	}
	return b
}

// checkCompressed checks that everyone reads from src's frame what src is.
func checkCompressed(t interface {
	Helper()
	Fatal(args ...any)
}, src []byte) {
	t.Helper()
	var dst bytes.Buffer
	dst.WriteString("what was there before")
	dst.Reset()
	out, codec := NewCompressor().Compress(&dst, src)
	if codec == kgo.CodecNone {
		if !bytes.Equal(out, src) {
			t.Fatal("it is not what it was")
		}
		out = new(encoder).frame(make([]byte, 0, frameRoom(len(src))), src)
		if len(out) < len(src) {
			t.Fatal("it gets smaller, but is not compressed")
		}
	}
	f := frame{src: out}
	if !f.decompress() || !bytes.Equal(f.dst, src) {
		t.Fatal("the decompressor reads something else")
	}
	if !bytes.Equal(byLibrary(t, out), src) {
		t.Fatal("the library reads something else")
	}
	if !bytes.Equal(byTheBook(t, out), src) {
		t.Fatal("the format says something else")
	}
}

// byTheBook decompresses a frame and checks what the format asks of its blocks
// beyond what readers do.
func byTheBook(t interface {
	Helper()
	Fatal(args ...any)
}, frame []byte) []byte {
	t.Helper()
	largest := blockSize(frame[5])
	var all []byte
	for b := frame[7:]; ; {
		head := binary.LittleEndian.Uint32(b)
		b = b[4:]
		if head == 0 {
			if len(b) > 0 {
				t.Fatal("there is more behind the frame")
			}
			return all
		}
		data := b[:head&^lz4Stored]
		b = b[len(data):]
		block := data
		if head&lz4Stored == 0 {
			block = blockByTheBook(t, data)
		}
		if len(block) == 0 || len(block) > largest {
			t.Fatal("a block's size is", len(block))
		}
		all = append(all, block...)
	}
}

func blockByTheBook(t interface {
	Helper()
	Fatal(args ...any)
}, data []byte) (out []byte) {
	t.Helper()
	length := func(n int) int {
		for more := n == 15; more; data = data[1:] {
			n += int(data[0])
			more = data[0] == 255
		}
		return n
	}
	lastMatch := 0
	for {
		token := int(data[0])
		data = data[1:]
		literals := length(token >> 4)
		out = append(out, data[:literals]...)
		data = data[literals:]
		if len(data) == 0 {
			if lastMatch > 0 && (literals < 5 || len(out)-lastMatch < 12) {
				t.Fatal("the last match is too near to the end")
			}
			return out
		}
		distance := int(data[0]) | int(data[1])<<8
		data = data[2:]
		lastMatch = len(out)
		if distance == 0 || distance > len(out) {
			t.Fatal("a distance is", distance)
		}
		for range length(token&15) + 4 {
			out = append(out, out[len(out)-distance])
		}
	}
}

func TestCompressor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkCompressed(t, genContent().Draw(t, "content"))
	})
}

// A frame says how large its blocks are, a block may be stored, and both have
// sizes at which they change.
func TestCompressorOfAllSizes(t *testing.T) {
	for n := range 400 {
		checkCompressed(t, bytes.Repeat([]byte{'a'}, n))
		checkCompressed(t, noise(n))
		checkCompressed(t, append(noise(n), make([]byte, n)...))
	}
	text := changes(1000)
	for len(text) < 9<<20 {
		text = append(text, text...)
	}
	for _, n := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20} {
		checkCompressed(t, text[:n])
		checkCompressed(t, text[:n+1])
	}
	checkCompressed(t, append(noise(4<<20), text[:5<<20]...))
	checkCompressed(t, append(text[:4<<20:4<<20], noise(4<<20+1)...))
}

func TestCompressorLeavesNoise(t *testing.T) {
	src := noise(100_000)
	if out, codec := NewCompressor().Compress(new(bytes.Buffer), src); codec != kgo.CodecNone || &out[0] != &src[0] {
		t.Errorf("codec %d, %d bytes", codec, len(out))
	}
}

// The same batch is the same bytes, whatever was compressed before.
func TestCompressorForgets(t *testing.T) {
	c := NewCompressor()
	first, _ := c.Compress(new(bytes.Buffer), changes(100))
	_, _ = c.Compress(new(bytes.Buffer), noise(100_000))
	if again, _ := c.Compress(new(bytes.Buffer), changes(100)); !bytes.Equal(again, first) {
		t.Error("it depends on what was before")
	}
}

// What is quicker must not be much larger than what the library writes.
func TestCompressorRatio(t *testing.T) {
	for _, n := range []int{10, 100, 2000} {
		src := changes(n)
		own, _ := NewCompressor().Compress(new(bytes.Buffer), src)
		theirs, _ := libraryCompressor(t).Compress(new(bytes.Buffer), src)
		if len(own)*10 > len(theirs)*11 {
			t.Errorf("%d bytes are %d, the library's %d", len(src), len(own), len(theirs))
		}
	}
}

func libraryCompressor(t testing.TB) kgo.Compressor {
	t.Helper()
	c, err := kgo.DefaultCompressor(kgo.Lz4Compression())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompressorDoesNotAllocate(t *testing.T) {
	src, dst, e := changes(100), make([]byte, 0, 1<<20), &encoder{}
	if n := testing.AllocsPerRun(20, func() { e.frame(dst, src) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCompressor(f *testing.F) {
	f.Add([]byte{}, uint16(1))
	f.Add([]byte("impression "), uint16(9000))
	f.Add(changes(20), uint16(2))
	f.Add(noise(300), uint16(300))
	f.Fuzz(func(t *testing.T, part []byte, times uint16) {
		checkCompressed(t, bytes.Repeat(part, min(int(times), 200_000/(len(part)+1))))
	})
}

func BenchmarkCompressor(b *testing.B) {
	src := changes(1000)
	for name, c := range map[string]kgo.Compressor{"own": NewCompressor(), "library": libraryCompressor(b)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(src)))
			var dst bytes.Buffer
			size := 0
			for b.Loop() {
				dst.Reset()
				out, _ := c.Compress(&dst, src)
				size = len(out)
			}
			b.ReportMetric(float64(len(src))/float64(size), "ratio")
		})
	}
}
