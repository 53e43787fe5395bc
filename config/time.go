package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	day     = 24 * time.Hour
	longest = 106_751 * day // of what a Duration holds
)

var units = []struct {
	name   string
	length time.Duration
}{
	// ms stands before m and s, which it begins and ends with.
	{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", day},
}

// parseDuration reads numbers with a unit each, such as 100ms, 1.5h or 1d12h,
// and adds them up, to the millisecond.
func parseDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration: a number with ms, s, m, h or d, such as 100ms or 1h30m", text)
	if text == "" || strings.HasPrefix(text, "-") {
		return 0, bad
	}
	var sum float64 // in ms, of which a float64 holds all that a Duration does
	for rest := text; rest != ""; {
		end := strings.IndexFunc(rest, func(c rune) bool { return c != '.' && (c < '0' || c > '9') })
		if end <= 0 {
			return 0, bad
		}
		number, err := strconv.ParseFloat(rest[:end], 64)
		if err != nil {
			return 0, bad
		}
		rest = rest[end:]
		known := false
		for _, unit := range units {
			if after, ok := strings.CutPrefix(rest, unit.name); ok {
				sum += number * float64(unit.length/time.Millisecond)
				rest, known = after, true
				break
			}
		}
		if !known {
			return 0, bad
		}
	}
	ms := math.Round(sum)
	if ms > float64(math.MaxInt64/time.Millisecond) {
		return 0, fmt.Errorf("%q is too long; the longest duration is 106751d", text)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// FormatDuration writes a duration as the configuration has it: in the largest unit
// that leaves no rest.
func FormatDuration(d time.Duration) string {
	for i := len(units) - 1; i >= 0; i-- {
		if unit := units[i]; d%unit.length == 0 && d != 0 {
			return fmt.Sprintf("%d%s", d/unit.length, unit.name)
		}
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

// ParseTime reads a point in time as the configuration and the commands take
// it: RFC 3339, a date (its midnight in UTC) or milliseconds since 1970, not
// before 2010. The result is in UTC.
func ParseTime(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		var ms int64
		ms, err = strconv.ParseInt(text, 10, 64)
		at = time.UnixMilli(ms)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time: RFC 3339 such as 2026-03-02T10:15:30Z, a date such as 2026-03-02, or milliseconds since 1970", text)
	}
	at = at.UTC()
	if at.Year() < 2010 {
		return time.Time{}, fmt.Errorf("%q lies before 2010; a number is taken as milliseconds since 1970", text)
	}
	return at, nil
}
