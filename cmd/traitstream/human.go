package main

import (
	"fmt"
	"time"

	"traitstream/config"
)

// humanBytes returns a size with a binary unit.
func humanBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}

// momentLayout is how people are told of a time, to the second or, with milliseconds behind
// that, exactly. JSON has RFC 3339.
const momentLayout = "2006-01-02 15:04:05 UTC"

func moment(t time.Time) string { return t.UTC().Format(momentLayout) }

func exactMoment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 UTC") }

// parseMoment reads a time as it is printed, or as the configuration has it.
func parseMoment(text string) (time.Time, error) {
	if t, err := time.Parse(momentLayout, text); err == nil {
		text = t.Format(time.RFC3339Nano)
	}
	return config.ParseTime(text)
}

// humanDuration returns a duration to three digits or so.
func humanDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// humanCount returns a number to one place behind the point, with a metric
// prefix where it has more than three digits.
func humanCount(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d", n)
	}
	prefixes := []string{"k", "M", "G", "T"}
	size, prefix := float64(n)/1000, 0
	for size >= 999.95 && prefix < len(prefixes)-1 { // what would be printed as 1000.0
		size, prefix = size/1000, prefix+1
	}
	return fmt.Sprintf("%.1f %s", size, prefixes[prefix])
}

// humanWait returns a duration in whole seconds, the begun one included, in its
// two largest units.
func humanWait(d time.Duration) string {
	seconds := int64((max(0, d) + time.Second - 1) / time.Second)
	units := []struct {
		name   string
		length int64
	}{{"d", 24 * 60 * 60}, {"h", 60 * 60}, {"min", 60}, {"s", 1}}
	for i, u := range units[:len(units)-1] {
		if seconds < u.length {
			continue
		}
		text, next := fmt.Sprintf("%d %s", seconds/u.length, u.name), units[i+1]
		if rest := seconds % u.length / next.length; rest > 0 {
			text += fmt.Sprintf(" %d %s", rest, next.name)
		}
		return text
	}
	return fmt.Sprintf("%d s", seconds)
}
