package ingest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t *testing.T, text string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	return string(z.EncodeAll([]byte(text), nil))
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// impressionLines are n good lines that compress badly.
func impressionLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"key":"user-%d","split":"f","treatment":"on","time":1772446530123,"x":"%x"}`+"\n", i, uint64(i)*0x9e3779b97f4a7c15)
	}
	return b.String()
}

func TestCompression(t *testing.T) {
	text := impressionLines(3)
	skippable := "\x50\x2a\x4d\x18\x01\x00\x00\x00x"
	for name, file := range map[string]struct{ name, text string }{
		"none":                 {"a.json", text},
		"gzip":                 {"a.json.gz", gzipped(t, text)},
		"gzip of two members":  {"a.gz", gzipped(t, text[:50]) + gzipped(t, text[50:])},
		"gzip, not so named":   {"a.json", gzipped(t, text)},
		"gzip, named zst":      {"a.zst", gzipped(t, text)},
		"zstd":                 {"a.zst", zstandard(t, text)},
		"zstd of two frames":   {"a.zst", zstandard(t, text[:50]) + zstandard(t, text[50:])},
		"zstd, not so named":   {"a.json", zstandard(t, text)},
		"zstd behind metadata": {"A.ZST", skippable + zstandard(t, text)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if counts := w.file(w.options(), write(t, file.name, file.text)); counts.Impressions != 3 {
				t.Errorf("%s: %+v", name, counts)
			}
			if counts := w.text(w.options(), file.text); counts.Impressions != 3 && file.name != "A.ZST" {
				t.Errorf("%s on standard input: %+v", name, counts)
			}
		})
	}
}

// What a broken file holds before the break is imported, and the error tells.
func TestBrokenCompression(t *testing.T) {
	text := impressionLines(50_000)
	for name, file := range map[string]string{
		"cut.gz":       gzipped(t, text)[:len(gzipped(t, text))/2],
		"cut.zst":      zstandard(t, text)[:len(zstandard(t, text))/2],
		"checksum.gz":  gzipped(t, text)[:len(gzipped(t, text))-8] + "12345678",
		"trailing.gz":  gzipped(t, text) + "and more",
		"sequence.gz":  gzipped(t, "{\n"+text[1:])[:len(gzipped(t, text))/2],
		"oneobject.gz": gzipped(t, text[:60])[:40],
		"plain.gz":     text,
		"plain.zst":    text,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			path := write(t, name, file)
			i := w.importer(w.options())
			err := i.File(w.limit(), path)
			records := len(w.records(target.Name))
			if err == nil || int(i.Counts().Impressions) != records || len(w.events) > 0 {
				t.Fatalf("%d imported, %d counted, told %v, error %v", records, i.Counts().Impressions, w.events, err)
			}
			if strings.HasPrefix(err.Error(), "opening "+path) == strings.Contains(err.Error(), fmt.Sprint(records, " impressions before it")) {
				t.Errorf("error %v, %d imported", err, records)
			}
			if atLeast := map[string]int{"cut.gz": 10_000, "cut.zst": 10_000, "checksum.gz": 50_000, "trailing.gz": 50_000, "sequence.gz": 10_000}[name]; records < atLeast {
				t.Errorf("%d imported, want at least %d", records, atLeast)
			}
		})
	}
}

// Progress goes up to the file's size; where that is not known it is 0.
func TestProgress(t *testing.T) {
	w := newWorld(t)
	path := write(t, "a.gz", gzipped(t, impressionLines(50_000)))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	last, calls := int64(0), 0
	o := w.options()
	o.OnProgress = func(file string, done, total int64) {
		if file != path || done <= last || total != info.Size() {
			t.Errorf("%s: %d of %d after %d", file, done, total, last)
		}
		last = done
		calls++
	}
	w.file(o, path)
	if last != info.Size() || calls < 2 {
		t.Errorf("%d calls, last %d of %d", calls, last, info.Size())
	}
	o.OnProgress = func(file string, done, total int64) {
		if file != "-" || done != 3 || total != 0 {
			t.Errorf("%s: %d of %d", file, done, total)
		}
		calls = 0
	}
	w.text(o, "{}\n")
	if calls != 0 {
		t.Error("not called for standard input")
	}
}
