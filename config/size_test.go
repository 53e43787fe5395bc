package config

import (
	"testing"

	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"256MiB": 256 << 20, "1GiB": 1 << 30, "0KiB": 0, "65536KiB": 64 << 20} {
		if got, err := parseSize(text); got != want || err != nil {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "256", "256MB", "256mib", "256 MiB", "-1MiB", "+1MiB", "1.5GiB", "MiB", "9223372036854775807KiB", "99999999999999999999GiB", "1MiB1KiB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestFormatSizeIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int64Range(1, 1<<40).Draw(t, "KiB") << 10
		if got, err := parseSize(formatSize(want)); err != nil || got != want {
			t.Fatalf("%d is written %q and read %d, %v", want, formatSize(want), got, err)
		}
	})
}
