package trait

import (
	"strings"
	"testing"

	"traitstream/impression"
)

func name(t testing.TB, text string) Name {
	t.Helper()
	n, err := ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNames(t *testing.T) {
	imp := &impression.Impression{Flag: []byte("f{1}"), EnvironmentName: []byte("Prod"), EnvironmentID: []byte("0c")}
	for text, want := range map[string]string{
		"{split}":                       "f{1}",
		"last treatment":                "last treatment",
		"a{split}b{environmentName}":    "af{1}bProd",
		"{environmentId}{split}{split}": "0cf{1}f{1}",
	} {
		n := name(t, text)
		if got, ok := n.appendTo(nil, imp); !ok || string(got) != want || n.String() != text {
			t.Errorf("%s yields %q, %v, want %q", n, got, ok, want)
		}
	}
	for _, text := range []string{"{environmentName}", "x{environmentId}"} {
		if got, ok := name(t, text).appendTo(nil, &impression.Impression{Flag: []byte("f")}); ok {
			t.Errorf("%s yields %q without its fact", text, got)
		}
	}
}

func TestNameErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "must not be empty",
		"{splt}":               `unknown placeholder {splt}: did you mean "split"?; allowed are {split}, {environmentName} and {environmentId}`,
		"{}":                   "unknown placeholder {}",
		"{treatment}":          "allowed are {split}",
		"{split":               "unbalanced brace",
		"split}":               "unbalanced brace",
		"{{split}}":            "unbalanced brace",
		"{split}}":             "unbalanced brace",
		"a{environment{split}": "unbalanced brace",
		"\xff":                 "not valid UTF-8",
	} {
		if _, err := ParseName(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}
