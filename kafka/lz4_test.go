package kafka

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

func genFrame() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		content := bytes.Repeat([]byte(rapid.String().Draw(t, "part")), rapid.IntRange(0, 20_000).Draw(t, "times"))
		content = append(content, rapid.SliceOf(rapid.Byte()).Draw(t, "end")...)
		var b bytes.Buffer
		w := lz4.NewWriter(&b)
		options := []lz4.Option{
			lz4.BlockSizeOption(rapid.SampledFrom([]lz4.BlockSize{lz4.Block64Kb, lz4.Block256Kb, lz4.Block1Mb, lz4.Block4Mb}).Draw(t, "block")),
			lz4.BlockChecksumOption(rapid.Bool().Draw(t, "block checksum")),
			lz4.ChecksumOption(rapid.Bool().Draw(t, "checksum")),
		}
		if rapid.Bool().Draw(t, "size") {
			options = append(options, lz4.SizeOption(uint64(len(content))))
		}
		if err := w.Apply(options...); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	})
}

// byLibrary decompresses what the library's writer has written.
func byLibrary(t interface{ Fatal(...any) }, b []byte) []byte {
	content, err := io.ReadAll(lz4.NewReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestDecompressor(t *testing.T) {
	d := NewDecompressor()
	rapid.Check(t, func(t *rapid.T) {
		b := genFrame().Draw(t, "frame")
		f := frame{src: b}
		if !f.decompress() {
			t.Fatal("it leaves a common frame to the library")
		}
		got, err := d.Decompress(b, kgo.CodecLz4)
		if err != nil || !bytes.Equal(got, byLibrary(t, b)) || !bytes.Equal(f.dst, got) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	})
}

// Frames like those before cost no copy, and what is read of one that is smaller
// does not keep the memory of a larger one.
func TestDecompressorFitsMemory(t *testing.T) {
	frame := func(content string) []byte {
		e, src := &encoder{}, []byte(content)
		return e.frame(make([]byte, 0, frameRoom(len(src))), src)
	}
	d := NewDecompressor()
	plain, dense := frame(strings.Repeat("an impression, and 7 others; ", 3)), frame(strings.Repeat("a", 800))
	for _, b := range [][]byte{plain, plain, dense, plain, frame(strings.Repeat("a", 100_000)), plain, dense} {
		got, err := d.Decompress(b, kgo.CodecLz4)
		if err != nil || !bytes.Equal(got, byLibrary(t, b)) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if cap(got) > len(got)/4*5+128 {
			t.Errorf("%d bytes take %d", len(got), cap(got))
		}
	}
	d = NewDecompressor()
	if _, ok := d.asBefore(plain); ok {
		t.Error("it knows how well a first frame is compressed")
	}
	d.learn(len(plain), len(byLibrary(t, plain)))
	if n := testing.AllocsPerRun(100, func() { _, _ = d.asBefore(plain) }); n > 1 {
		t.Errorf("%v allocations for a frame like the one before", n)
	}
}

func TestDecompressorLeavesTheRest(t *testing.T) {
	d := NewDecompressor()
	if got, err := d.Decompress([]byte("as it is"), kgo.CodecNone); string(got) != "as it is" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := d.Decompress([]byte("no frame"), kgo.CodecLz4); err == nil {
		t.Errorf("%q", got)
	}
	var two bytes.Buffer // frames one after the other are one content
	for range 2 {
		w := lz4.NewWriter(&two)
		_, _ = w.Write([]byte("again "))
		_ = w.Close()
	}
	if f := (frame{src: two.Bytes()}); f.decompress() {
		t.Error("it takes two frames for one")
	}
}

// A batch that says of itself that it is large does not take the memory.
func TestDecompressorIsBounded(t *testing.T) {
	f := frame{src: []byte{1, 0, 0, 0, 0}, dst: make([]byte, maxBatch-10)}
	if _, ok := f.block(64<<10, 0); ok || !f.tooLarge {
		t.Error("it goes beyond its bound")
	}
}

// What is decompressed here is what the library makes of it, but for checksums.
func FuzzDecompressor(f *testing.F) {
	for _, content := range []string{"", "a", string(bytes.Repeat([]byte("impression "), 9000))} {
		var b bytes.Buffer
		w := lz4.NewWriter(&b)
		_, _ = w.Write([]byte(content))
		_ = w.Close()
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		own := frame{src: b}
		if !own.decompress() {
			return
		}
		content, err := io.ReadAll(lz4.NewReader(bytes.NewReader(b)))
		if err == nil && !bytes.Equal(content, own.dst) {
			t.Fatalf("%d bytes, want %d", len(own.dst), len(content))
		}
	})
}

func BenchmarkDecompressor(b *testing.B) {
	var buf bytes.Buffer
	w := lz4.NewWriter(&buf)
	for i := range 1500 {
		_, _ = w.Write([]byte(`{"type":"track","userId":"user-`))
		_, _ = w.Write([]byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/7%26)})
		_, _ = w.Write(bytes.Repeat([]byte("properties of an impression "), 20))
	}
	_ = w.Close()
	for name, d := range map[string]kgo.Decompressor{"own": NewDecompressor(), "library": kgo.DefaultDecompressor()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out, err := d.Decompress(buf.Bytes(), kgo.CodecLz4)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(out)))
			}
		})
	}
}
