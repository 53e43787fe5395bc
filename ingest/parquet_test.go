package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/format"
	"pgregory.net/rapid"

	"traitstream/impression"
)

// exportRow is a row as Split's export documents it.
type exportRow struct {
	Key                string  `parquet:"key" json:"key"`
	BucketingKey       *string `parquet:"bucketingKey,optional" json:"bucketingKey"`
	Label              string  `parquet:"label" json:"label"`
	Treatment          string  `parquet:"treatment,dict" json:"treatment"`
	SplitName          string  `parquet:"splitName,dict" json:"splitName"`
	SplitVersion       int64   `parquet:"splitVersion" json:"splitVersion"`
	Properties         *string `parquet:"properties,optional" json:"properties"`
	EnvironmentID      string  `parquet:"environmentId" json:"environmentId"`
	TrafficTypeID      string  `parquet:"trafficTypeId" json:"trafficTypeId"`
	SDK                string  `parquet:"sdk" json:"sdk"`
	SDKVersion         string  `parquet:"sdkVersion" json:"sdkVersion"`
	MachineName        *string `parquet:"machineName,optional" json:"machineName"`
	MachineIP          *string `parquet:"machineIp,optional" json:"machineIp"`
	Timestamp          int64   `parquet:"timestamp" json:"timestamp"`
	ReceptionTimestamp int64   `parquet:"receptionTimestamp" json:"receptionTimestamp"`
}

func writeParquet[Row any](t testing.TB, rows []Row, opts ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, rows, opts...); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func exportRows(t *testing.T) (rows []exportRow) {
	t.Helper()
	data, err := os.ReadFile(example("s3-export.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var r exportRow
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// A Parquet export gives the records that its rows as JSON lines give.
func TestParquet(t *testing.T) {
	rows := exportRows(t)
	want := newWorld(t)
	want.file(want.options(), example("s3-export.jsonl"))
	golden := strings.ReplaceAll(dump(want.records(target.Name)), example("s3-export.jsonl"), "FILE")
	for name, file := range map[string]string{
		"plain.parquet":          writeParquet(t, rows),
		"snappy.parquet":         writeParquet(t, rows, parquet.Compression(&parquet.Snappy)),
		"inside.parquet.gz":      writeParquet(t, rows, parquet.Compression(&parquet.Gzip)),
		"outside.parquet.gz":     gzipped(t, writeParquet(t, rows)),
		"zstd.parquet.zst":       zstandard(t, writeParquet(t, rows, parquet.Compression(&parquet.Zstd))),
		"lz4.parquet":            writeParquet(t, rows, parquet.Compression(&parquet.Lz4Raw)),
		"groups.parquet":         writeParquet(t, rows, parquet.MaxRowsPerRowGroup(3)),
		"no parquet by its name": writeParquet(t, rows),
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{write(t, name, file), "-"} {
				w := newWorld(t)
				o := w.options()
				o.Stdin = strings.NewReader(file)
				w.file(o, path)
				if got := strings.ReplaceAll(dump(w.records(target.Name)), path+"\n", "FILE\n"); got != golden {
					t.Errorf("%s: got\n%s\nwant\n%s", path, got, golden)
				}
			}
		})
	}
}

// The Athena guide's narrower types, optional columns, bytes without a
// character set, and columns that are not ours, nested ones too.
func TestParquetOtherTypes(t *testing.T) {
	type row struct {
		Tags      []string                    `parquet:"aTags,list"`
		Nested    struct{ Key, Label string } `parquet:"aaa"`
		Key       []byte                      `parquet:"key"`
		Version   *int32                      `parquet:"splitVersion,optional"`
		Flag      [4]byte                     `parquet:"splitName"`
		Time      *int64                      `parquet:"timestamp,optional"`
		Treatment *string                     `parquet:"treatment,optional"`
		Label     []string                    `parquet:"label"`
		SDK       bool                        `parquet:"sdk"`
		Extra     float64                     `parquet:"zExtra"`
	}
	version, time, on := int32(-7), int64(1772446530123), "on\t\"\\\x7f\u2028é"
	file := writeParquet(t, []row{
		{Tags: []string{"a", "b"}, Key: []byte("u\xff"), Version: &version, Flag: [4]byte([]byte("flag")), Time: &time, Treatment: &on, Label: []string{"x", "y"}},
		{Key: []byte("v"), Flag: [4]byte([]byte("flag"))},
	})
	got, err := readAll(parquetRows(t, file))
	if err != nil {
		t.Fatal(err)
	}
	want := []piece{
		{text: `{"key":"` + "u\xff" + `","treatment":"on\u0009\"\\` + "\x7f\u2028é" + `","splitName":"flag","splitVersion":-7,"sdk":"false","timestamp":1772446530123}`, line: 1},
		{text: `{"key":"v","treatment":null,"splitName":"flag","splitVersion":null,"sdk":"false","timestamp":null}`, line: 2},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	w := newWorld(t)
	if counts := w.text(w.options(), file); counts.Refused[impression.BadUser] != 1 || counts.Refused[impression.MissingTreatment] != 1 {
		t.Errorf("got %+v", counts)
	}
}

func parquetRows(t testing.TB, file string) *rows {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if _, err := io.WriteString(f, file); err != nil {
		t.Fatal(err)
	}
	r, err := newRows(f, func(float64) {})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestParquetRoundTrip compares rows of any text with encoding/json's reading
// of what they become.
func TestParquetRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		maybe := rapid.Ptr(rapid.String(), true)
		want := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) exportRow {
			return exportRow{Key: rapid.String().Draw(t, "key"), Properties: maybe.Draw(t, "properties"),
				MachineIP: maybe.Draw(t, "machineIp"), SplitVersion: rapid.Int64().Draw(t, "splitVersion")}
		}), 0, 1000).Draw(rt, "rows")
		file := writeParquet(t, want, parquet.MaxRowsPerRowGroup(rapid.Int64Range(1, 600).Draw(rt, "group")), parquet.PageBufferSize(256))
		r := parquetRows(t, file)
		for n := range want {
			v, err := r.next()
			if err != nil {
				rt.Fatal(err)
			}
			var got exportRow
			if err := json.Unmarshal(v.json, &got); err != nil {
				rt.Fatalf("row %d: %s: %v", n+1, v.json, err)
			}
			if fmt.Sprint(text(got)) != fmt.Sprint(text(want[n])) || v.line != int64(n+1) {
				rt.Fatalf("row %d, line %d: got %s", n+1, v.line, v.json)
			}
		}
		if _, err := r.next(); !errors.Is(err, io.EOF) {
			rt.Fatalf("after the last row: %v", err)
		}
	})
}

func TestParquetProgress(t *testing.T) {
	rows := make([]exportRow, 10*rowsAtOnce)
	r := parquetRows(t, writeParquet(t, rows, parquet.MaxRowsPerRowGroup(rowsAtOnce)))
	var parts []float64
	r.progress = func(part float64) { parts = append(parts, part) }
	if all, err := readAll(r); err != nil || len(all) != len(rows) {
		t.Fatalf("%d rows, %v", len(all), err)
	}
	if !slices.IsSorted(parts) || len(parts) < 10 || parts[0] > 0.2 || parts[len(parts)-1] != 1 {
		t.Errorf("got %v", parts)
	}
}

func text(r exportRow) string {
	b, err := json.Marshal(r)
	return fmt.Sprint(string(b), err)
}

func TestParquetErrors(t *testing.T) {
	rows := exportRows(t)
	type other struct {
		Name string `parquet:"name"`
	}
	whole := writeParquet(t, rows, parquet.MaxRowsPerRowGroup(4))
	unknownCodec := writeParquet(t, rows, parquet.Compression(brotliAsLZO{&parquet.Brotli}))
	for name, test := range map[string]struct{ file, want string }{
		"cut":     {whole[:len(whole)/2], "as Parquet: "},
		"head":    {"PAR1", "as Parquet: "},
		"columns": {writeParquet(t, []other{{"x"}}), "as Parquet: no column of Split's export in it"},
		"codec":   {unknownCodec, "LZO"},
		"page":    {whole[:len(whole)/4] + strings.Repeat("\xff", 600) + whole[len(whole)/4+600:], " impressions before it were imported"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			i := w.importer(w.options())
			err := i.File(w.limit(), write(t, name, test.file))
			if err == nil || !strings.Contains(err.Error(), test.want) || len(w.events) > 0 {
				t.Errorf("%v: told %v", err, w.events)
			}
			if got := len(w.records(target.Name)); got != int(i.Counts().Impressions) {
				t.Errorf("%d imported, %d counted", got, i.Counts().Impressions)
			}
		})
	}
}

// brotliAsLZO writes what this library can't read.
type brotliAsLZO struct{ compress.Codec }

func (brotliAsLZO) CompressionCodec() format.CompressionCodec { return format.LZO }

// Some of these files make the library panic.
func TestDamagedParquet(t *testing.T) {
	type row struct {
		Key       string  `parquet:"key"`
		MachineIP *string `parquet:"machineIp,optional"`
	}
	whole := writeParquet(t, []row{{"u", nil}, {"v", nil}})
	faults := 0
	for n := 3 * len(parquetMagic); n < 3*len(whole); n++ {
		file := []byte(whole)
		file[n/3] ^= []byte{1, 16, 255}[n%3]
		in, err := open(write(t, "a", string(file)), Options{})
		if err == nil {
			_, err = readAll(in)
			in.close()
		}
		if err != nil {
			faults++
		}
	}
	if faults < len(whole) {
		t.Errorf("%d of %d damaged files gave an error", faults, 3*len(whole))
	}
}

// FuzzParquet holds that a damaged file gives an error or rows, no panic.
func FuzzParquet(f *testing.F) {
	key := "k"
	f.Add([]byte(writeParquet(f, []exportRow{{Key: "u", MachineIP: &key}, {Key: "v"}})), 0, byte(0))
	f.Add([]byte(writeParquet(f, []exportRow{{Key: "u", MachineIP: &key}}, parquet.Compression(&parquet.Snappy))), 100, byte(255))
	f.Fuzz(func(t *testing.T, data []byte, at int, flip byte) {
		if len(data) > 0 {
			data[uint(at)%uint(len(data))] ^= flip
		}
		path := write(t, "a", string(data))
		in, err := open(path, Options{})
		if err != nil {
			return
		}
		defer in.close()
		if _, err := readAll(in); err != nil {
			return
		}
	})
}
