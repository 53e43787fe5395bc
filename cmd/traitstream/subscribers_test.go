package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"traitstream/config"
	"traitstream/schemas"
)

// The page for subscribers names all fields, its configuration is one, its links
// lead somewhere, and its command runs.
func TestSubscribersPage(t *testing.T) {
	const path = "../../docs/subscribers.md"
	page := readFile(t, path)
	var record struct{ Fields []struct{ Name string } }
	if err := json.Unmarshal([]byte(schemas.ValueAvro), &record); err != nil {
		t.Fatal(err)
	}
	if len(record.Fields) == 0 {
		t.Fatal("the schema has no fields")
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(page, -1)
	for i, f := range record.Fields {
		if i >= len(rows) || rows[i][1] != f.Name {
			t.Errorf("row %d is not that of %s", i+1, f.Name)
		}
	}
	_, block, _ := strings.Cut(page, "```yaml\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("there is no configuration")
	}
	for _, text := range []string{block, strings.NewReplacer("http:", "https:", "  # user", "  user", "  # password", "  password", "  # tls", "  tls").Replace(block)} {
		cfg, err := config.Parse("traitstream.yaml", []byte(text), func(name string) (string, bool) { return "secret", name == "REGISTRY_PASSWORD" })
		if err != nil || cfg.Output.Format != config.Avro {
			t.Errorf("%v in\n%s", err, text)
		}
	}
	for _, link := range regexp.MustCompile(`\]\((\.\./[^)]+)\)`).FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), link[1])); err != nil {
			t.Error(err)
		}
	}
	_, command, _ := strings.Cut(page, "```sh\ntraitstream ")
	command, _, _ = strings.Cut(command, "\n")
	w := newWorld(t, "")
	w.create("traitstream-traits", 1)
	succeed(t, append(strings.Fields(command), "-c", w.config)...)
}
