package impression

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// validJSON is jsontext's opinion.
func validJSON(data []byte) bool {
	return jsontext.Value(data).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

func scans(data []byte) bool {
	s := scanner{data: data}
	_, end := s.whole()
	return end >= 0
}

func agreeOnJSON(t failer, data []byte) {
	t.Helper()
	got := scans(data)
	if want := validJSON(data); got != want {
		t.Fatalf("%q: valid %t, jsontext says %t", data, got, want)
	}
	if want := json.Valid(data); got != want {
		t.Fatalf("%q: valid %t, encoding/json says %t", data, got, want)
	}
}

func TestScanner(t *testing.T) {
	valid := []string{
		`0`, `-0`, `-0.5E+10`, `1e5`, `true`, `false`, `null`, `""`, `"\"\\\/\b\f\n\r\t\u0aF9"`, "\"\x7f\xff\"", `"\ud800"`,
		`[]`, `{}`, " [ 1 , {\t\"a\" : [ ] } ]\r\n", `{"a":1,"a":2}`, `{"":""}`,
		`"0123456789abcdef\n0123456789abcdef"`,
	}
	invalid := []string{
		``, ` `, `-`, `+1`, `01`, `1.`, `.5`, `1e`, `1e+`, `0x1`, `1 2`, `tru`, `trueX`, `nul`, `nan`, `"`, `"\"`, `"\`, `"\x"`, `"\u12G4"`, `"\u123`,
		"\"\x00\"", "\"\n\"", "\"01234567\x1f\"", `[`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `]`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`,
		`{"a" 1}`, `{a:1}`, `{1:1}`, `{"a":1]`, `[1}`, "\ufeff{}", "[\v1]", `{"a":}`, `{,}`, `'a'`, `/**/1`,
	}
	for _, text := range append(valid, invalid...) {
		agreeOnJSON(t, []byte(text))
	}
	for _, text := range valid {
		if !scans([]byte(text)) {
			t.Errorf("%q is valid", text)
		}
	}
	for _, text := range invalid {
		if scans([]byte(text)) {
			t.Errorf("%q is not valid", text)
		}
	}
}

// TestDepth tries the deepest document that is allowed, and one level more.
func TestDepth(t *testing.T) {
	nest := func(open, inside, closing string, depth int) []byte {
		return []byte(strings.Repeat(open, depth) + inside + strings.Repeat(closing, depth))
	}
	for depth := maxDepth - 1; depth <= maxDepth+1; depth++ {
		for _, data := range [][]byte{
			nest(`[`, ``, `]`, depth), nest(`[`, `0`, `]`, depth), nest(`{"a":`, `0`, `}`, depth), nest(`[{"a":`, `0`, `}]`, depth/2),
		} {
			agreeOnJSON(t, data)
		}
	}
	if !scans(nest(`[`, ``, `]`, maxDepth)) || scans(nest(`[`, ``, `]`, maxDepth+1)) {
		t.Errorf("the limit is not %d", maxDepth)
	}
}

// TestStops compares the search by eight bytes with that by one.
func TestStops(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inside := rapid.SliceOfN(rapid.SampledFrom([]byte("az !#[]\x1f\x20\x21\x22\x23\x5b\x5c\x5d\x7f\x80\xa2\xdc\xff\x00")), 0, 40).Draw(t, "inside")
		agreeOnJSON(t, []byte(`"`+string(inside)+`"`))
		s := scanner{data: []byte(`"` + string(inside) + `" `)}
		end, f := s.str(0)
		if end < 0 {
			return
		}
		text := s.data[1 : end-1]
		if got, want := f&escaped != 0, bytes.IndexByte(text, '\\') >= 0; got != want {
			t.Fatalf("%q: escaped %t", text, got)
		}
		isHigh := func(r rune) bool { return r >= 0x80 }
		if got, want := f&nonASCII != 0, bytes.IndexFunc(text, isHigh) >= 0; got != want {
			t.Fatalf("%q: not ASCII %t", text, got)
		}
	})
}

func TestUnescape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.SampledFrom([]string{
			`a`, `ü`, `\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`, `\u0000`, `\u00e9`, `\uFFFD`, `\ud83d`, `\ude00`, `\uD83D\uDE00`, "\xff", "\xe2\x82",
		})).Draw(t, "pieces")
		inside := strings.Join(pieces, "")
		want, err := jsontext.AppendUnquote(nil, `"`+inside+`"`)
		raw := unescape(nil, []byte(inside))
		if got := clean(nil, raw); !bytes.Equal(got, want) {
			t.Fatalf("%s: %q, want %q", inside, got, want)
		}
		if valid := string(clean(nil, raw)) == string(raw); valid != (err == nil) {
			t.Fatalf("%s: valid %t, but %v", inside, valid, err)
		}
	})
}

func FuzzScanner(f *testing.F) {
	for _, file := range exampleFiles {
		for _, record := range readRecords(f, file) {
			if len(record) < maxSeed {
				f.Add(record)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { agreeOnJSON(t, data) })
}
