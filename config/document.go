package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// document returns the mapping that a file holds, or nil where it holds none or
// is no YAML.
func (r *reader) document(data []byte) *yaml.Node {
	if at := unprintable(data); at >= 0 {
		r.problem(r.offset(data, at), "the file must be UTF-8 text without control characters")
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var file, second yaml.Node
	if err := decoder.Decode(&file); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		r.syntax(data, err)
		return nil
	}
	if err := decoder.Decode(&second); err == nil {
		r.problem(r.here(&second), "a second YAML document begins here; a configuration is one document")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(data, err)
	}
	root := file.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil
	}
	if !r.plain(root) {
		return nil
	}
	return root
}

// plain reports keys that stand twice, keys that are no texts, and what YAML
// has beyond plain data, anywhere below n. It tells whether n can be read: with
// anchors and aliases in it the tree is no tree.
func (r *reader) plain(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		r.problem(r.here(n), "YAML anchors and aliases are not read; put a text that begins with & or * in quotes")
		return false
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.problem(r.here(n), "YAML tags are not read; put a text that begins with ! in quotes")
		return false
	}
	ok := true
	for _, child := range n.Content {
		ok = r.plain(child) && ok
	}
	if n.Kind == yaml.MappingNode {
		ok = r.keys(n) && ok
	}
	return ok
}

func (r *reader) keys(n *yaml.Node) bool {
	ok := true
	lines := map[string]int{}
	for key := range pairs(n) {
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" {
			r.problem(r.here(key), "a key must be a text, not %s", kind(key))
			ok = false
			continue
		}
		if line, twice := lines[key.Value]; twice {
			r.problem(r.here(key), "key %q stands twice; it is on line %d already", key.Value, line)
			continue
		}
		lines[key.Value] = key.Line
	}
	return ok
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// fromParser are the errors that the YAML library counts lines from 0 for.
var fromParser = []string{
	"did not find expected key", "did not find expected node content", "did not find expected '-' indicator",
	"did not find expected ',' or ']'", "did not find expected ',' or '}'", "did not find expected <document start>",
}

// syntax reports an error of the YAML library. It knows no columns, so the
// first character of the line has to serve.
func (r *reader) syntax(data []byte, err error) {
	match := syntaxError.FindStringSubmatch(err.Error())
	if match == nil {
		r.problem(place{file: r.file, line: 1, column: 1}, "not valid YAML: %v", err)
		return
	}
	message := match[2]
	if name, unknown := strings.CutPrefix(message, "unknown anchor '"); unknown {
		// The name is not shown: it may be a password that begins with *.
		name = strings.TrimSuffix(name, "' referenced")
		r.problem(r.offset(data, bytes.Index(data, []byte("*"+name))),
			"YAML anchors and aliases are not read; put a text that begins with & or * in quotes")
		return
	}
	line, _ := strconv.Atoi(match[1])
	if slices.Contains(fromParser, message) {
		line++
	}
	if strings.HasPrefix(message, "found character that cannot start any token") {
		message += "; indent with blanks, not tabs, and put a text that begins with @, % or ` in quotes"
	}
	at := place{file: r.file, line: max(line, 1), column: 1}
	if lines := bytes.Split(data, []byte("\n")); at.line <= len(lines) {
		text := lines[at.line-1]
		at.column += len(text) - len(bytes.TrimLeft(text, " "))
	}
	r.problem(at, "not valid YAML: %s", message)
}

// unprintable returns the offset of the first byte that cannot stand in a YAML
// file, or -1.
func unprintable(data []byte) int {
	for at := 0; at < len(data); {
		char, size := utf8.DecodeRune(data[at:])
		if char == utf8.RuneError && size == 1 || unicode.IsControl(char) && !strings.ContainsRune("\t\n\r\u0085", char) {
			return at
		}
		at += size
	}
	return -1
}

// offset returns the place of the byte at an offset into the file.
func (r *reader) offset(data []byte, at int) place {
	before := data[:max(at, 0)]
	line := bytes.LastIndexByte(before, '\n') + 1
	return place{
		file:   r.file,
		line:   bytes.Count(before, []byte("\n")) + 1,
		column: utf8.RuneCount(before[line:]) + 1,
	}
}
