package ingest

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

func BenchmarkSplit(b *testing.B) {
	line := impressionLines(1)
	for name, text := range map[string]string{"lines": line, "sequence": "{\n" + line[1:]} {
		b.Run(name, func(b *testing.B) {
			file := strings.Repeat(text, 10_000)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			s := split(bufio.NewReaderSize(strings.NewReader(file), blockSize), false)
			for b.Loop() {
				if _, err := s.next(); err != nil {
					s = split(bufio.NewReaderSize(strings.NewReader(file), blockSize), false)
				}
			}
		})
	}
}

func BenchmarkParquet(b *testing.B) {
	all := make([]exportRow, 10_000)
	for n := range all {
		all[n] = exportRow{Key: fmt.Sprint("user-", n), SplitName: "flag", Treatment: "on", Timestamp: 1772446530123}
	}
	file := writeParquet(b, all, parquet.Compression(&parquet.Snappy))
	b.ReportAllocs()
	r := parquetRows(b, file)
	for b.Loop() {
		if _, err := r.next(); err != nil {
			r = parquetRows(b, file)
		}
	}
}

// BenchmarkImport imports impressions of the webhook's shape, 370 bytes each,
// into the embedded broker, which shares the processors.
func BenchmarkImport(b *testing.B) {
	const lines = 200_000
	var text bytes.Buffer
	for n := range lines {
		fmt.Fprintf(&text, `{"key":"user-%06d","split":"back_end_roll_algorithm","environmentId":"0c3a9f10-9d3e-11ee-8c90-0242ac120002",`+
			`"environmentName":"Prod-Default","treatment":"on","time":%d,"bucketingKey":null,"label":"in segment employees",`+
			`"machineName":"ip-10-0-0-7","machineIp":"10.0.0.7","splitVersionNumber":1665436973467,"sdk":"go","sdkVersion":"6.9.0","properties":null}`+"\n",
			n*7919%100_000, 1772446530123+n)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	events := 0
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b)
		o := w.options()
		o.Now = time.Now
		o.Stdin = bytes.NewReader(text.Bytes())
		i := w.importer(o)
		b.StartTimer()
		if err := i.File(w.limit(), "-"); err != nil {
			b.Fatal(err)
		}
		events += int(i.Counts().Impressions)
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "impressions/s")
}
