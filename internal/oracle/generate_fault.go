package oracle

import (
	"fmt"
	"slices"
	"strings"
)

// object writes an object: its members in some order, with blanks, and now and
// then with an unknown one.
func (g *maker) object(all []pair) string {
	if g.chance(0.2) {
		all = append(all, pair{g.pick("unknown", "Key", "previousTime", ""), g.pick(`"\ud800"`, "\"\xff\"", `{"key":"x"}`, `1e999`, `[[[]]]`, `null`)})
	}
	if g.chance(0.5) {
		g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	parts := make([]string, len(all))
	for i, p := range all {
		parts[i] = g.gap() + g.quote(p.name) + g.gap() + ":" + g.gap() + p.json
	}
	return "{" + strings.Join(parts, g.gap()+",") + g.gap() + "}"
}

// quote writes a string, now and then with escapes that need not be.
func (g *maker) quote(s string) string {
	if g.chance(0.8) {
		return quote(s)
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case g.chance(0.8):
			q := quote(string(r))
			b.WriteString(q[1 : len(q)-1])
		case r > 0xffff:
			fmt.Fprintf(&b, `\u%04x\u%04X`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		case r == '/':
			b.WriteString(`\/`)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	return `"` + b.String() + `"`
}

// spoil makes a member bad, or more than one, where it is time for a fault.
func (g *maker) spoil(all []pair) []pair {
	all = slices.Clone(all)
	for len(all) > 0 && g.chance(g.o.Faults/2) {
		i := g.IntN(len(all))
		switch g.IntN(5) {
		case 0:
			all = slices.Delete(all, i, i+1)
		case 1:
			all = append(all, all[i])
		case 2:
			all = append(all, pair{g.alias(all[i].name), all[i].json})
		default:
			all[i].json = g.bad(all[i].name)
		}
	}
	return all
}

// alias returns another name for the same fact, or the same name.
func (g *maker) alias(name string) string {
	for fact, all := range names {
		if slices.Contains(all, name) || name != "" && short[name] == fact {
			return g.pick(all...)
		}
	}
	return name
}

// bad writes a value that is likely to be wrong for the name.
func (g *maker) bad(name string) string {
	if list := name == "i" || name == "keyImpressions"; list {
		return g.pick(`null`, `[]`, `{}`, `5`, `"x"`, `[7]`, `[null,[]]`)
	}
	switch g.IntN(3) {
	case 0:
		return g.pick(`null`, `""`, `5`, `true`, `{}`, `[]`, `{"a":[1]}`)
	case 1:
		return g.pick(`"\ud800"`, "\"x\xff\xfe\"", `"\udc00\ud800"`, `"\u0000"`, "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "\"\xf4\x90\x80\x80\"",
			`"`+strings.Repeat("ü", 512)+`"`, `"`+strings.Repeat("ü", 512)+`x"`, `"`+strings.Repeat(`\u00fc`, 512)+`"`)
	}
	return g.badNumber()
}

func (g *maker) badNumber() string {
	if g.o.Ahead && g.chance(0.3) {
		return g.pick("1772447400001", `"1772447400001"`, `"2026-03-02T10:30:00.001Z"`, "1772446530123000", `"2099-01-01T00:00:00Z"`, "9223372036854775807",
			"1772447400000", "1772447400000.9")
	}
	return g.pick("1772446530", "1772446530.123", "0", "-1", "1262303999999", "1262303999999.9", "1262304000000", `"yesterday"`,
		`"2026-03-02T10:15:30"`, `"2026-03-02"`, `"2026-02-29T00:00:00Z"`, `"2024-02-29T00:00:00Z"`, `"2026-03-02T24:00:00Z"`, `"2026-03-02T10:15:30.Z"`,
		`"2026-03-02T10:15:30,5Z"`, `"2026-03-02 10:15:30Z"`, `"2026-03-02T10:15:30+24:00"`, `"2026-03-02T10:15:30+0100"`, `"2026-03-02T1:15:30Z"`,
		"99999999999999999999999", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "1e400", "-1e400", "1e-400",
		"1e99999999999999999999", "0e99999999999999999999", "1.5", `"1.5"`, "1e3", `"1e3"`, "-0", "5.000", `"07"`, `"+7"`, `" 7"`, `"0x7"`, `"7_0"`,
		"0.00001772446530123e17", "17724465301230000e-4")
}
