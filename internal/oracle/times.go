package oracle

import (
	"regexp"
	"time"
)

// earliest is 2010-01-01, in ms.
const earliest = 1262304000000

var rfc3339 = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$`)

// numberOf reads a number, or a string that holds one.
func numberOf(raw []byte) (decimal, bool) {
	s := string(raw)
	if kind(raw) == '"' {
		s, _ = text(raw)
	}
	return parseDecimal(s)
}

// timeOf reads a time in ms, cutting off what is finer.
func timeOf(raw []byte) (int64, bool) {
	if k := kind(raw); k != '"' && k != '0' {
		return 0, false
	}
	if d, ok := numberOf(raw); ok {
		n, _, fits := d.integer()
		return n, fits && n >= earliest
	}
	s, _ := text(raw)
	n, ok := parseRFC3339(s)
	return n, ok && n >= earliest
}

func parseRFC3339(s string) (int64, bool) {
	m := rfc3339.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	zone := m[4]
	if zone == "z" {
		zone = "Z"
	}
	fraction := (m[3] + "....")[:4]
	for i := range fraction {
		if fraction[i] == '.' {
			fraction = fraction[:i] + "0" + fraction[i+1:]
		}
	}
	t, err := time.Parse("2006-01-02T15:04:05.000Z07:00", m[1]+"T"+m[2]+"."+fraction[1:]+zone)
	return t.UnixMilli(), err == nil
}
