package trait

import (
	"encoding/json"
	"fmt"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNumberGrammarIsThatOfJSON(t *testing.T) {
	for _, text := range []string{
		"0", "-0", "10", "1.5", "0.0", "1e5", "1E+5", "-1.25e-3",
		"", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1", "1 ", " 1", "NaN", "1_0", "--1", "1.e1", "1e1.5", "１",
	} {
		_, ok := parseNumber([]byte(text))
		if want := json.Valid([]byte(text)) && text[0] != ' ' && text[len(text)-1] != ' '; ok != want {
			t.Errorf("%q is a number: %v, want %v", text, ok, want)
		}
	}
}

// Numbers compare as fractions of any size do.
func TestNumbersCompareExactly(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		s := fmt.Sprint(rapid.OneOf(
			rapid.Int64Range(-12, 12), rapid.Int64(), rapid.Int64Range(1<<53, 1<<53+2)).Draw(t, "whole"))
		s += rapid.SampledFrom([]string{"", ".0", ".5", ".05", ".50", ".000"}).Draw(t, "fraction")
		return s + rapid.SampledFrom([]string{"", "e0", "e1", "E+2", "e-1", "e-02", "e30"}).Draw(t, "exponent")
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		x, okX := parseNumber([]byte(a))
		y, okY := parseNumber([]byte(b))
		p, _ := new(big.Rat).SetString(a)
		q, _ := new(big.Rat).SetString(b)
		if !okX || !okY || x.compare(y) != p.Cmp(q) {
			t.Fatalf("%s against %s: %d (%v %v), want %d", a, b, x.compare(y), okX, okY, p.Cmp(q))
		}
	})
}

func TestHugeExponentsKeepTheirSign(t *testing.T) {
	ascending := []string{"-1e9223372036854775808", "-1e400", "-1e-99999999999999999999", "0e99999999999999999999",
		"1e-99999999999999999999", "1e-400", "1e400", "2e400", "1e9223372036854775808"}
	for i, a := range ascending {
		for j, b := range ascending {
			x, _ := parseNumber([]byte(a))
			y, _ := parseNumber([]byte(b))
			if (x.compare(y) < 0) != (i < j) {
				t.Errorf("%s against %s: %d", a, b, x.compare(y))
			}
		}
	}
}

func TestInstants(t *testing.T) {
	ms := func(text string) int64 {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return at.UnixMilli()
	}
	for text, want := range map[string]int64{
		"0":                           0,
		"1772446530123":               1772446530123,
		"-5":                          -5,
		"1.772446530123e12":           1772446530123,
		"1772446530123.9":             1772446530123,
		"2026-03-02":                  ms("2026-03-02T00:00:00Z"),
		"2024-02-29":                  ms("2024-02-29T00:00:00Z"),
		"2026-03-02T10:15:30Z":        ms("2026-03-02T10:15:30Z"),
		"2026-03-02T10:15:30.1Z":      ms("2026-03-02T10:15:30.100Z"),
		"2026-03-02T10:15:30.123999Z": ms("2026-03-02T10:15:30.123Z"),
		"2026-03-02T10:15:30.5+05:30": ms("2026-03-02T04:45:30.500Z"),
		"2026-03-02T23:59:59-11:00":   ms("2026-03-03T10:59:59Z"),
		"1969-12-31T23:59:59.999Z":    -1,
	} {
		if got, ok := parseInstant([]byte(text)); !ok || got != want {
			t.Errorf("%s is %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "on", "1e400", "9223372036854775808", "2026-02-30", "2026-13-01", "2026-00-01", "2026-3-2", "20260302x2",
		"2026-03-02T10:15:30", "2026-03-02 10:15:30Z", "2026-03-02T24:00:00Z", "2026-03-02T10:60:00Z",
		"2026-03-02T10:15:60Z", "2026-03-02T10:15:30.Z", "2026-03-02T10:15:30.5", "2026-03-02T10:15:30z",
		"2026-03-02T10:15:30+0530", "2026-03-02T10:15:30+24:00", "2026-03-02T10:15:30Zx", "2026-03-02T10:15:30*05:30",
	} {
		if got, ok := parseInstant([]byte(text)); ok {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}
