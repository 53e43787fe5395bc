package config

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s": 0, "100ms": 100 * time.Millisecond, "1.5h": 90 * time.Minute, "1h30m": 90 * time.Minute,
		"90d": 90 * day, "1d12h": 36 * time.Hour, "1m1ms": time.Minute + time.Millisecond, ".5s": 500 * time.Millisecond,
	} {
		if got, err := parseDuration(text); got != want || err != nil {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "10", "ms", "-1s", "+1s", "1 s", "1s ", "1w", "1us", "1S", "1e3s", "1.2.3s", ".s", "1s-1s", "106752d", "9223372036854.7758ms", "1000000000000000000d", "١s"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestFormatDurationIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "ms")) * time.Millisecond
		got, err := parseDuration(FormatDuration(want))
		if err != nil || got != want {
			t.Fatalf("%v is written %q and read %v, %v", want, FormatDuration(want), got, err)
		}
	})
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-02T10:15:30Z":          "2026-03-02T10:15:30Z",
		"2026-03-02T10:15:30.123+01:00": "2026-03-02T09:15:30.123Z",
		"2026-03-02":                    "2026-03-02T00:00:00Z",
		"1772446530123":                 "2026-03-02T10:15:30.123Z",
		"2010-01-01":                    "2010-01-01T00:00:00Z",
	} {
		if got, err := ParseTime(text); err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q is %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "now", "1772446530", "2009-12-31", "2010-01-01T00:00:00+01:00", "2026-02-30", "2026-03-02 10:15:30", "2026-03-02T10:15:30", "99999999999999999999"} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
