package ingest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	gzipMagic    = "\x1f\x8b"
	zstdMagic    = "\x28\xb5\x2f\xfd"
	parquetMagic = "PAR1"

	// maxWindow is the most memory that a zstd file may ask for, in bytes.
	maxWindow = 128 << 20
)

// isMetadata tells the files that Spark writes beside an export.
func isMetadata(path string) bool {
	name := filepath.Base(path)
	return name == "_SUCCESS" || strings.HasPrefix(name, "_committed_") || strings.HasPrefix(name, "_started_")
}

// input is an open file, split into values.
type input struct {
	splitter
	closers []func() error
}

// close releases the file and what was opened on top of it. Nothing was
// written, so that its errors tell nothing.
func (in *input) close() {
	for n := len(in.closers) - 1; n >= 0; n-- {
		_ = in.closers[n]()
	}
}

// open opens a file. What it holds is told by its first bytes: an export may be
// named .gz for the compression inside Parquet.
func open(path string, o Options) (*input, error) {
	in := &input{}
	if err := in.open(path, o); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

func (in *input) open(path string, o Options) error {
	source, size, err := in.source(path, o.Stdin)
	if err != nil {
		return err
	}
	reached := int64(0)
	progress := func(done int64) {
		if done > reached && o.OnProgress != nil {
			o.OnProgress(path, done, size)
		}
		reached = max(done, reached)
	}
	counted := bufio.NewReaderSize(&meter{in: source, progress: progress}, blockSize)
	plain, err := in.decompress(path, counted)
	if err != nil {
		return err
	}
	if !begins(plain, parquetMagic) {
		in.splitter = split(plain, o.Lines)
		return nil
	}
	file, ok := source.(*os.File)
	if !ok || size == 0 || plain != counted {
		if file, err = in.spool(plain); err != nil {
			return err
		}
	}
	in.splitter, err = newRows(file, func(part float64) { progress(int64(part * float64(size))) })
	return err
}

// source opens the file itself; size is 0 where it is not known.
func (in *input) source(path string, stdin io.Reader) (r io.Reader, size int64, err error) {
	if path == "-" {
		if stdin == nil {
			return nil, 0, errors.New("no standard input here")
		}
		return stdin, 0, nil
	}
	file, err := os.Open(path)
	if named := (*fs.PathError)(nil); errors.As(err, &named) {
		return nil, 0, named.Err // who calls names the path
	}
	if err != nil {
		return nil, 0, err
	}
	in.closers = append(in.closers, file.Close)
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	switch {
	case info.IsDir():
		return nil, 0, errors.New("this is a directory: name the files in it")
	case info.Mode().IsRegular():
		size = info.Size()
	}
	return file, size, nil
}

// decompress tells the format by the magic bytes, or else by the name.
func (in *input) decompress(path string, r *bufio.Reader) (*bufio.Reader, error) {
	ext := strings.ToLower(filepath.Ext(path))
	if _, err := r.Peek(1); err != nil || begins(r, parquetMagic) {
		return r, nil //nolint:nilerr // who reads on meets the error again
	}
	switch {
	case begins(r, gzipMagic) || ext == ".gz":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("as gzip: %w", err)
		}
		return bufio.NewReaderSize(z, blockSize), nil
	case begins(r, zstdMagic) || ext == ".zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("as zstd: %w", err)
		}
		in.closers = append(in.closers, func() error { z.Close(); return nil })
		return bufio.NewReaderSize(z, blockSize), nil
	}
	return r, nil
}

func begins(r *bufio.Reader, magic string) bool {
	head, err := r.Peek(len(magic))
	return err == nil && string(head) == magic
}

// spool copies to a temporary file, since Parquet is read from its end.
func (in *input) spool(r io.Reader) (*os.File, error) {
	file, err := os.CreateTemp("", "traitstream-*.parquet")
	if err != nil {
		return nil, fmt.Errorf("making room for Parquet: %w", err)
	}
	in.closers = append(in.closers, func() error { return os.Remove(file.Name()) }, file.Close)
	if _, err := io.Copy(file, r); err != nil {
		return nil, fmt.Errorf("copying Parquet to %s: %w", file.Name(), err)
	}
	return file, nil
}

// meter tells how many bytes were read so far.
type meter struct {
	in       io.Reader
	done     int64
	progress func(done int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.in.Read(p)
	m.done += int64(n)
	m.progress(m.done)
	return n, err
}
