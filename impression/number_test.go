package impression

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseInt(t *testing.T) {
	for _, c := range []struct {
		text  string
		n     int64
		exact bool
		fits  bool
	}{
		{"0", 0, true, true},
		{"-0", 0, true, true},
		{"-0.0e5", 0, true, true},
		{"0.9", 0, false, true},
		{"-1.9", -1, false, true},
		{"1e3", 1000, true, true},
		{"5.0", 5, true, true},
		{"1.5e1", 15, true, true},
		{"1.55e1", 15, false, true},
		{"100e-2", 1, true, true},
		{"1.772446530123e12", 1772446530123, true, true},
		{"9223372036854775807", 1<<63 - 1, true, true},
		{"9223372036854775807.5", 1<<63 - 1, false, true},
		{"9223372036854775808", 0, false, false},
		{"-9223372036854775808", -1 << 63, true, true},
		{"-9223372036854775809", 0, false, false},
		{"18446744073709551616", 0, false, false},
		{"99999999999999999999", 0, false, false},
		{"0.0000000009223372036854775807e28", 1<<63 - 1, true, true},
		{"1e400", 0, false, false},
		{"1e-400", 0, false, true},
		{"0e99999999999999999999999", 0, true, true},
		{"1e99999999999999999999999", 0, false, false},
		{"1e-99999999999999999999999", 0, false, true},
	} {
		if n, exact, fits := parseInt([]byte(c.text)); n != c.n || exact != c.exact || fits != c.fits {
			t.Errorf("%s: %d, exact %t, fits %t", c.text, n, exact, fits)
		}
	}
}

func TestParseIntIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,21})(\.0{0,3}[0-9]{1,21})?([eE][-+]?0?[0-9]{1,2})?`).Draw(t, "number")
		want, wantExact, wantFits := truncated(text)
		n, exact, fits := parseInt([]byte(text))
		if fits != wantFits || fits && (n != want || exact != wantExact) {
			t.Fatalf("%s: %d, exact %t, fits %t, want %d, %t, %t", text, n, exact, fits, want, wantExact, wantFits)
		}
	})
}

// TestParseIntIsCheap feeds numbers whose value no machine can write out.
func TestParseIntIsCheap(t *testing.T) {
	zeros := strings.Repeat("0", 1<<20)
	start := time.Now()
	for text, fits := range map[string]bool{
		"1" + zeros:                   false,
		"0." + zeros + "1":            true,
		"0." + zeros + "1e1048577":    true,
		"1" + zeros + "e-1048576":     true,
		"1e1" + zeros:                 false,
		"1e-1" + zeros:                true,
		"1" + zeros + "e-9999999999":  true,
		"0." + zeros + "1e9999999999": false,
	} {
		if _, _, got := parseInt([]byte(text)); got != fits {
			t.Errorf("%.10s... (%d bytes): fits %t", text, len(text), got)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}
