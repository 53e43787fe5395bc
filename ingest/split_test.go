package ingest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// piece is a value without the reader's memory in it.
type piece struct {
	text      string
	line      int64
	continues bool
	fault     bool
}

func (p piece) String() string {
	return fmt.Sprintf("%q at line %d, continues %v, fault %v", p.text, p.line, p.continues, p.fault)
}

func readAll(s splitter) ([]piece, error) {
	var all []piece
	for {
		v, err := s.next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, piece{string(v.json), v.line, v.continues, v.fault != ""})
	}
}

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		name, text string
		byLine     bool
		want       []piece
	}{
		{"nothing", "", false, nil},
		{"blanks", " \n\r\n\t", false, nil},
		{"lines", "{\"a\":1}\n[2]\r\n\n 3", false, []piece{{text: `{"a":1}`, line: 1}, {text: `[2]`, line: 2}, {text: ` 3`, line: 4}}},
		{"bad line after a good one", "{}\n{\"a\":\n1}\n", false, []piece{{text: `{}`, line: 1}, {text: `{"a":`, line: 2}, {text: `1}`, line: 3}}},
		{"first line begins no value", "oops\n{}\n", false, []piece{{text: "oops", line: 1}, {text: "{}", line: 2}}},
		{"first line of invalid UTF-8", "{\"a\":\"\xff\"}\nx\n", false, []piece{{text: "{\"a\":\"\xff\"}", line: 1}, {text: "x", line: 2}}},
		{"duplicate names", "{\"a\":1,\"a\":2}\nx\n", false, []piece{{text: `{"a":1,"a":2}`, line: 1}, {text: "x", line: 2}}},
		{"byte order mark", "\ufeff{}\n{}", false, []piece{{text: "\ufeff{}", line: 1}, {text: "{}", line: 2}}},
		{"sequence", "\n{\n\"a\":1}\n\n{} [1,\n2]3\n4", false, []piece{
			{text: "{\n\"a\":1}", line: 2}, {text: "{}", line: 5}, {text: "[1,\n2]", line: 5}, {text: "3", line: 6}, {text: "4", line: 7}}},
		{"two values in the first line", "{} {}\n7", false, []piece{{text: "{}", line: 1}, {text: "{}", line: 1}, {text: "7", line: 2}}},
		{"sequence by line", "{\n}", true, []piece{{text: "{", line: 1}, {text: "}", line: 2}}},
		{"empty array", "[\n]\n[\n\n ]", false, []piece{{text: "[\n]", line: 1}, {text: "[\n\n ]", line: 3}}},
		{"broken sequence", "[\n1]\n[2\n3]\n{}\n", false, []piece{{text: "[\n1]", line: 1}, {text: "[2\n3]\n{}\n", line: 3, fault: true}}},
		{"broken value", "{\n\"a\":tru}\n{}", false, []piece{{text: "{\n\"a\":tru}\n{}", line: 1, fault: true}}},
		{"comma at the end", "[\n1,]", false, []piece{{text: "[\n1,]", line: 1, fault: true}}},
		{"end within an object", "{\n\"a\":", false, []piece{{text: "{\n\"a\":", line: 1, fault: true}}},
		{"end within an array", "[\n1", false, []piece{{text: "[\n1", line: 1, fault: true}}},
		{"end after a comma", "[\n1,", false, []piece{{text: "[\n1,", line: 1, fault: true}}},
		{"end after a bracket", "[\n", false, []piece{{text: "[\n", line: 1, fault: true}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(test.text), iotest.OneByteReader(strings.NewReader(test.text))} {
				got, err := readAll(split(bufio.NewReader(in), test.byLine))
				if err != nil || !slices.Equal(got, test.want) {
					t.Errorf("got  %v, %v\nwant %v", got, err, test.want)
				}
			}
		})
	}
}

func TestFaultTellsItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"{}\n\n[\n{},\n{\"a\" 1}]": "not JSON at line 5: ",
		"[\n1,\n2\n":               "not JSON at line 4: the file ends within a value",
		"[\n1,\n2\n3]":             "not JSON at line 4: neither ',' nor ']'",
	} {
		s := newSequence(strings.NewReader(text))
		fault := ""
		for {
			v, err := s.next()
			if err != nil {
				break
			}
			fault = v.fault
		}
		if !strings.HasPrefix(fault, want) {
			t.Errorf("%q: got %q, want %q", text, fault, want)
		}
	}
}

// A read error is one of the file and makes no value of what came before it.
func TestReadErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, text := range []string{"{}\n{}\n{", "{\n}{}{", "{\n} {} [1", "{\n}{}1", "{}\n{}\n"} {
		in := io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))
		got, err := readAll(split(bufio.NewReader(in), false))
		if !errors.Is(err, broken) || len(got) < 2 {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
		for _, p := range got {
			if p.fault {
				t.Errorf("%q: refused %q", text, p.text)
			}
		}
	}
}

func TestLongLineIsCut(t *testing.T) {
	long := strings.Repeat("x", maxValue+1)
	s := &lines{in: bufio.NewReader(strings.NewReader("1\n" + long + "\n" + long[2:] + "\n2"))}
	for line, want := range []struct {
		size int
		cut  bool
	}{{1, false}, {maxValue, true}, {maxValue - 1, false}, {1, false}} {
		v, err := s.next()
		if err != nil || len(v.json) != want.size || v.cut != want.cut || (v.fault != "") != want.cut || v.line != int64(line+1) {
			t.Errorf("line %d: %d bytes, cut %v, fault %q, line %d, %v", line+1, len(v.json), v.cut, v.fault, v.line, err)
		}
	}
}

func TestLongValueIsCut(t *testing.T) {
	const most = 1 << 20
	s := newSequence(strings.NewReader("{} {\"a\":\"" + strings.Repeat("x", 4*most) + "\"}"))
	s.maxValue = most
	if v, err := s.next(); err != nil || v.fault != "" {
		t.Fatalf("first value: %q, %v", v.fault, err)
	}
	v, err := s.next()
	if err != nil || v.fault != "not JSON at line 1: a value of over 1048576 bytes" || !v.cut || len(v.json) < most || len(v.json) > 2*most {
		t.Errorf("%d bytes, cut %v, fault %q, %v", len(v.json), v.cut, v.fault, err)
	}
	if _, err := s.next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the rest: %v", err)
	}
}

// A value that is whole goes out before more is read: standard input may be
// slow.
func TestSequenceDoesNotWait(t *testing.T) {
	in, out := io.Pipe()
	go func() { _, _ = io.WriteString(out, "{\n}") }()
	waited := time.AfterFunc(10*time.Second, func() { _ = out.Close() })
	v, err := newSequence(in).next()
	if !waited.Stop() || err != nil || string(v.json) != "{\n}" {
		t.Errorf("got %q, %v", v.json, err)
	}
	_ = in.Close()
}

// TestLines compares with bytes.Split.
func TestLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOf(rapid.SampledFrom([]byte("{}a \t\r\n\n"))).Draw(t, "text")
		var want []piece
		for n, line := range bytes.Split(text, []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				want = append(want, piece{text: string(bytes.TrimSuffix(line, []byte("\r"))), line: int64(n + 1)})
			}
		}
		// The smallest buffer there is makes most lines long ones.
		got, err := readAll(&lines{in: bufio.NewReaderSize(iotest.HalfReader(bytes.NewReader(text)), 16)})
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("got  %v, %v\nwant %v", got, err, want)
		}
	})
}

// drawValue returns JSON with blanks and line ends in it.
func drawValue(t *rapid.T, depth int) string {
	blank := func() string { return rapid.StringMatching(`[ \t\r\n]{0,3}`).Draw(t, "blank") }
	kind := rapid.IntRange(0, 7).Draw(t, "kind")
	if depth == 0 {
		kind %= 4
	}
	switch kind {
	case 0:
		return rapid.SampledFrom([]string{"true", "false", "null"}).Draw(t, "word")
	case 1:
		return rapid.SampledFrom([]string{"0", "-1", "12", "3.5e7"}).Draw(t, "number")
	case 2, 3:
		return rapid.SampledFrom([]string{`""`, `"]"`, `"\""`, `"\\"`, `"{[,"`, `"\u007d"`, "\"\xff\""}).Draw(t, "string")
	}
	var all []string
	for range rapid.IntRange(0, 4).Draw(t, "length") {
		one := blank() + drawValue(t, depth-1) + blank()
		if kind == 4 {
			one = blank() + `"k"` + blank() + ":" + one
		}
		all = append(all, one)
	}
	if kind == 4 {
		return "{" + strings.Join(all, ",") + blank() + "}"
	}
	return "[" + strings.Join(all, ",") + blank() + "]"
}

// TestSequence reads what was written, value by value and line by line.
func TestSequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, want := "", []piece(nil)
		for range rapid.IntRange(0, 6).Draw(t, "values") {
			text += rapid.StringMatching(`[ \t\r\n]{1,3}`).Draw(t, "between")
			v := drawValue(t, 3)
			want = append(want, piece{text: v, line: int64(1 + strings.Count(text, "\n"))})
			text += v
		}
		got, err := readAll(newSequence(iotest.OneByteReader(strings.NewReader(text))))
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q: got  %v, %v\nwant %v", text, got, err, want)
		}
	})
}

// TestLongArray reads an array in parts: together they hold its elements, each
// on its line.
func TestLongArray(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, 40).Draw(t, "count")
		text, lines := "\n[", []int64{}
		for n := range count {
			if n > 0 {
				text += ","
			}
			text += rapid.StringMatching(`\n{0,2}`).Draw(t, "before")
			lines = append(lines, int64(1+strings.Count(text, "\n")))
			text += fmt.Sprintf(`{"n":%d}`, n)
		}
		s := newSequence(strings.NewReader(text + "] 7"))
		s.maxPart = 32
		pieces, err := readAll(s)
		if err != nil || len(pieces) < 2 || pieces[len(pieces)-1].text != "7" {
			t.Fatalf("got %v, %v", pieces, err)
		}
		n := 0
		for at, p := range pieces[:len(pieces)-1] {
			if p.fault || p.continues != (at > 0) || len(p.text) > 64 {
				t.Fatalf("part %d: %+v", at, p)
			}
			var elements []json.RawMessage
			if err := json.Unmarshal([]byte(p.text), &elements); err != nil {
				t.Fatalf("part %q: %v", p.text, err)
			}
			from := 0
			for _, e := range elements {
				from += strings.Index(p.text[from:], string(e))
				if line := p.line + int64(strings.Count(p.text[:from], "\n")); string(e) != fmt.Sprintf(`{"n":%d}`, n) || line != lines[n] {
					t.Fatalf("element %d: %s at line %d, want %d", n, e, line, lines[n])
				}
				n++
			}
		}
		if n != count {
			t.Fatalf("%d elements of %d", n, count)
		}
	})
}

func TestBrokenLongArrayKeepsWhatWentOut(t *testing.T) {
	s := newSequence(strings.NewReader("[" + strings.Repeat("{\"a\":1},\n", 10) + "oops]\n{}"))
	s.maxPart = 32
	pieces, err := readAll(s)
	last := pieces[len(pieces)-1]
	if err != nil || len(pieces) < 3 || !last.fault || !last.continues || !strings.HasSuffix(last.text, "oops]\n{}") {
		t.Errorf("got %v, %v", pieces, err)
	}
}

// FuzzSplit holds that every byte that is not blank is in exactly one value, in
// its order.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"{}\n[1,2]\n", "[\n{\"a\":[1]},2]{}", "{\n\"a\":}", "1\n\xff", "[\n1,2,3,4,5,6,7,8,9]x"} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, byLine bool) {
		s := split(bufio.NewReaderSize(bytes.NewReader(text), 16), byLine)
		if seq, ok := s.(*sequence); ok {
			seq.maxPart = 8
		}
		var got []byte
		for {
			v, err := s.next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				break
			}
			if v.continues && v.json[0] == '[' {
				got[len(got)-1] = ',' // where the part before was closed
				v.json = v.json[1:]
			}
			got = append(got, withoutBlanks(v.json)...)
		}
		if want := withoutBlanks(text); !bytes.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}

func withoutBlanks(text []byte) []byte {
	return slices.DeleteFunc(bytes.Clone(text), func(c byte) bool {
		return c == ' ' || c == '\t' || c == '\r' || c == '\n'
	})
}
