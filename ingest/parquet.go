package ingest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

// columns are those of Split's S3 export, in the order in which a row is
// written as JSON.
var columns = []string{
	"key", "bucketingKey", "label", "treatment", "splitName", "splitVersion", "properties", "environmentId",
	"trafficTypeId", "sdk", "sdkVersion", "machineName", "machineIp", "timestamp", "receptionTimestamp",
}

// rowsAtOnce is how many rows are read at a time.
const rowsAtOnce = 256

// rows reads Parquet, each row as the JSON object that the export's columns
// make. Other columns are left out.
type rows struct {
	file     *parquet.File
	progress func(part float64) // from 0 to 1
	fields   []field
	group    int          // the next row group
	in       parquet.Rows // of the one before it; nil before the first
	batch    []parquet.Row
	left     []parquet.Row // of the batch, not yet returned
	err      error         // comes after left
	row      int64         // the last one returned
	cells    []parquet.Value
	json     []byte
}

// field is a column that goes into the JSON.
type field struct {
	name   string // with what stands before and after it: {"key":
	column int
}

func newRows(f *os.File, progress func(part float64)) (r *rows, err error) {
	defer guard(&err)
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, fmt.Errorf("as Parquet: %w", err)
	}
	r = &rows{
		file:     file,
		progress: progress,
		batch:    make([]parquet.Row, rowsAtOnce),
		cells:    make([]parquet.Value, len(file.Schema().Columns())),
	}
	before := "{"
	for _, name := range columns {
		if c, ok := file.Schema().Lookup(name); ok && c.MaxRepetitionLevel == 0 {
			r.fields = append(r.fields, field{before + strconv.Quote(name) + ":", c.ColumnIndex})
			before = ","
		}
	}
	if len(r.fields) == 0 {
		return nil, errors.New("as Parquet: no column of Split's export in it, such as key or splitName")
	}
	return r, nil
}

func (r *rows) next() (value, error) {
	for len(r.left) == 0 {
		if r.err != nil {
			return value{}, r.err
		}
		r.read()
	}
	for _, cell := range r.left[0] {
		r.cells[cell.Column()] = cell
	}
	r.left = r.left[1:]
	r.row++
	r.json = r.json[:0]
	for _, f := range r.fields {
		r.json = append(r.json, f.name...)
		r.json = appendValue(r.json, r.cells[f.column])
	}
	r.json = append(r.json, '}')
	return value{json: r.json, line: r.row}, nil
}

// read fills the batch, from the next row group where one has ended.
func (r *rows) read() {
	told, groups := r.file.NumRows(), r.file.RowGroups()
	for r.in == nil && r.group < len(groups) && groups[r.group].NumRows() == 0 {
		r.group++ // the library can't read an empty one
	}
	if r.in == nil && r.group == len(groups) {
		r.err = io.EOF
		if r.row != told {
			r.err = fmt.Errorf("damaged: %d rows instead of %d", r.row, told)
		}
		return
	}
	n, err := r.readRows()
	r.left = r.batch[:n]
	r.progress(float64(r.row+int64(n)) / float64(max(told, 1)))
	switch {
	case r.row+int64(n) > told:
		r.left, r.err = nil, fmt.Errorf("damaged: more rows than the %d that it tells", told)
	case errors.Is(err, io.EOF) && n == 0:
		// Not before, since what was read lies in its pages.
		r.err, r.in = r.in.Close(), nil
	case err == nil && n == 0:
		r.err = io.ErrNoProgress
	case !errors.Is(err, io.EOF):
		r.err = err
	}
}

func (r *rows) readRows() (n int, err error) {
	defer guard(&err)
	if r.in == nil {
		r.in = r.file.RowGroups()[r.group].Rows()
		r.group++
	}
	return r.in.ReadRows(r.batch)
}

// guard makes an error of a panic: the library has one for some damaged files.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("damaged: %v", p)
	}
}

// appendValue writes a column's value as JSON. Bytes that are no UTF-8 stay as
// they are: the decoder has a word to say on them.
func appendValue(dst []byte, v parquet.Value) []byte {
	switch v.Kind() {
	case parquet.Int32:
		return strconv.AppendInt(dst, int64(v.Int32()), 10)
	case parquet.Int64:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return appendString(dst, v.ByteArray())
	}
	if v.IsNull() {
		return append(dst, "null"...)
	}
	return appendString(dst, []byte(v.String()))
}

func appendString(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
