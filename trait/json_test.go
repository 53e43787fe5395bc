package trait

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestJSONStringEscapes(t *testing.T) {
	for in, want := range map[string]string{
		"":                         `""`,
		"größe-xl 🦊":               `"größe-xl 🦊"`,
		"a\"b\\c/d":                `"a\"b\\c/d"`,
		"\b\f\n\r\t":               `"\b\f\n\r\t"`,
		"\x00\x01\x0b\x1e\x1f\x7f": `"\u0000\u0001\u000b\u001e\u001f` + "\x7f\"",
		"<&>\u2028":                "\"<&>\u2028\"",
	} {
		if got := AppendJSONString(nil, in); string(got) != want {
			t.Errorf("%q becomes %s, want %s", in, got, want)
		}
	}
}

func TestJSONStringRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.String().Draw(t, "text")
		var out string
		if err := json.Unmarshal(AppendJSONString(nil, in), &out); err != nil || out != in {
			t.Fatalf("%q came back as %q, %v", in, out, err)
		}
	})
}

// Each byte at each place of a text of each length is escaped if it has to be,
// and where it stands makes no difference to the others.
func TestJSONStringAtEachPlace(t *testing.T) {
	for n := range 20 {
		for i := range n {
			for c := range 256 {
				in := bytes.Repeat([]byte{'a'}, n)
				in[i] = byte(c)
				want := append([]byte{'"'}, in[:i]...)
				if c < ' ' || c == '"' || c == '\\' {
					want = appendEscaped(want, byte(c))
				} else {
					want = append(want, byte(c))
				}
				want = append(append(want, in[i+1:]...), '"')
				if got := AppendJSONString([]byte{}, in); !bytes.Equal(got, want) {
					t.Fatalf("%q becomes %s, want %s", in, got, want)
				}
			}
		}
	}
}

// The library writes the same, but for what it escapes in other words.
func TestJSONStringIsThatOfTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.StringMatching("[ -~é]{0,8}[a-z\"\\\\\x00-\x1f\x7f]{0,16}")).Draw(t, "text")
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(in); err != nil {
			t.Fatal(err)
		}
		line := strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029").Replace(strings.TrimSuffix(want.String(), "\n"))
		if got := AppendJSONString(nil, in); string(got) != line {
			t.Fatalf("%q becomes %s, want %s", in, got, line)
		}
	})
}

func TestCompact(t *testing.T) {
	for in, want := range map[string]string{
		" { \"a b\" : [ 1.50 , -0 ,\n\t1E+3 ] , \"c\":null}\r": `{"a b":[1.50,-0,1E+3],"c":null}`,
		`["\/\u0041\u00e9\u002f"]`:                             `["/Aé/"]`,
		`["\u0022\u005c\u000A\u001f\u0008"]`:                   `["\"\\\n\u001f\b"]`,
		`["\ud83e\udd8a \uD83E\uDD8A"]`:                        `["🦊 🦊"]`,
		`["\ud83e", "\udd8a\ud83e\u0041"]`:                     "[\"\uFFFD\",\"\uFFFD\uFFFDA\"]",
		`["\\u0041 \\\" ] "]`:                                  `["\\u0041 \\\" ] "]`,
		"[\"a\xffb\xe2\x82\"]":                                 "[\"a\uFFFDb\uFFFD\uFFFD\"]",
	} {
		if got := appendCompact(nil, []byte(in)); string(got) != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

// Whatever the bytes, compacting does not panic; valid JSON stays valid, keeps
// its meaning, and compacts to itself.
func FuzzCompact(f *testing.F) {
	for _, seed := range []string{`{"a": "\u00e9\ud83e\udd8a", "b" :[1, 2.0 ,null]}`, `"\u12`, `"\`, `"\ud83e\u`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out := appendCompact(nil, in)
		if !json.Valid(in) {
			return
		}
		if !utf8.Valid(out) || !bytes.Equal(appendCompact(nil, out), out) {
			t.Fatalf("%q becomes %q, which is not compact", in, out)
		}
		if a, b := normal(t, in), normal(t, out); !bytes.Equal(a, b) {
			t.Fatalf("%q becomes %q: %s is not %s", in, out, b, a)
		}
	})
}

// normal rewrites JSON by way of the standard library.
func normal(t *testing.T, in []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
