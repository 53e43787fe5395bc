package schemas

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"testing"

	"traitstream/impression"
	"traitstream/trait"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden compares text with a file under testdata.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := "testdata/" + file
	if *rewrite {
		check(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s\nwant\n%s", path, got, want)
	}
}

type goldenChange struct {
	key trait.Key
	e   *trait.Emission
}

// goldenChanges are the changes whose bytes are kept.
func goldenChanges() []goldenChange {
	plainKey, plain := example()
	oddKey := trait.Key{
		Identity: impression.Anonymous,
		User:     []byte("kunde-zoë-東京-🦊 \"x\" \\ / \x00\b\f\n\r\t\x1f\x7f<&>\u2028"),
		Trait:    []byte("Größe {1}"),
	}
	odd := trait.Emission{
		Sent: true, Value: []byte(`{"a":[1.50,true]}`), SeenAt: 1262304000000, Version: -1,
		Facts: trait.Facts{
			Flag: []byte("Größe"), Label: []byte{}, Definition: "{split} {1}",
			Place: trait.Place{Topic: "t", Partition: 0, Offset: 1 << 53, Index: 0, Timestamp: 5},
		},
	}
	return []goldenChange{{plainKey, &plain.Emitted}, {oddKey, &odd}}
}

// The bytes of the traits topic are those that subscribers know.
func TestGoldenChanges(t *testing.T) {
	var out []byte
	for _, c := range goldenChanges() {
		out = append(AppendKey(out, c.key), '\n')
		out = append(AppendValue(out, c.key, c.e, trait.ChangeID("traitstream", c.key, c.e)), '\n')
	}
	golden(t, "changes.golden", out)
}

// The bytes of the state are those that older releases wrote.
func TestGoldenState(t *testing.T) {
	var out bytes.Buffer
	write := func(what string, k trait.Key, r *trait.Record) {
		fmt.Fprintf(&out, "%s\nkey\n%srecord\n%s", what, hex.Dump(AppendStateKey(nil, k)), hex.Dump(AppendRecord(nil, r)))
	}
	k, r := example()
	write("plain", k, &r)
	k, r = cleared()
	write("cleared", k, &r)
	k.User, k.Identity = []byte("a\x00b\x00"), impression.Anonymous
	r = trait.Record{Seen: trait.Register{SeenAt: 1772446600000, Treatment: []byte("say \"on\""), Value: []byte(`"say \"on\""`)}}
	write("escapes, nothing sent", k, &r)
	write("empty", trait.Key{Identity: impression.User}, &trait.Record{})
	golden(t, "state.golden", out.Bytes())
}
