package impression

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseTime(t *testing.T) {
	const refused = -1
	for text, want := range map[string]int64{
		"1772446530123":                       1772446530123,
		"1772446530123.999":                   1772446530123,
		"1262304000000":                       firstTime,
		"1262303999999.9":                     refused,
		"1772446530":                          refused,
		"9223372036854775808":                 refused,
		"2010-01-01T00:00:00Z":                firstTime,
		"2009-12-31T23:59:59.9999Z":           refused,
		"2010-01-01T01:00:00+01:00":           firstTime,
		"2009-12-31T00:01:00-23:59":           firstTime,
		"2026-03-02T10:15:30.123Z":            1772446530123,
		"2026-03-02t10:15:30.1z":              1772446530100,
		"2026-03-02T10:15:30.12Z":             1772446530120,
		"2026-03-02T10:15:30.12399999999999Z": 1772446530123,
		"2026-03-02T11:15:30.123+01:00":       1772446530123,
		"2026-03-02T10:15:30.123-00:00":       1772446530123,
		"2024-02-29T00:00:00Z":                1709164800000,
		"2023-02-29T00:00:00Z":                refused,
		"2100-02-29T00:00:00Z":                refused,
		"2000-02-29T00:00:00Z":                refused, // real, but before 2010
		"2400-02-29T00:00:00Z":                13574563200000,
		"9999-12-31T23:59:59.999Z":            253402300799999,
		"2026-03-02T10:15:60Z":                refused,
		"2026-03-02T24:00:00Z":                refused,
		"2026-03-02T10:60:00Z":                refused,
		"2026-00-02T10:15:30Z":                refused,
		"2026-13-02T10:15:30Z":                refused,
		"2026-04-31T10:15:30Z":                refused,
		"2026-04-00T10:15:30Z":                refused,
		"2026-03-02T10:15:30":                 refused,
		"2026-03-02T10:15:30.Z":               refused,
		"2026-03-02T10:15:30,1Z":              refused,
		"2026-03-02 10:15:30Z":                refused,
		"2026-03-02T10:15:30+0100":            refused,
		"2026-03-02T10:15:30+24:00":           refused,
		"2026-03-02T10:15:30+01:60":           refused,
		"2026-03-02T10:15:30*01:00":           refused,
		"2026-03-02T10:15:30Z ":               refused,
		"2026-03-02T10:15:30ZZ":               refused,
		"+2026-03-02T10:15:30Z":               refused,
		"2026-3-02T10:15:30Z":                 refused,
		"2026-03-02":                          refused,
		"0x10":                                refused,
		"+1772446530123":                      refused,
		"01772446530123":                      refused,
		"1772446530123 ":                      refused,
	} {
		got, fault := parseTime([]byte(text))
		if fault != "" {
			got = refused
		}
		if got != want {
			t.Errorf("%s: %d %s, want %d", text, got, fault, want)
		}
	}
}

// TestEveryDay compares the calendar with package time's, day by day.
func TestEveryDay(t *testing.T) {
	first := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	for day := first; day.Year() < 2500; day = day.AddDate(0, 0, 1) {
		y, m, d := day.Date()
		if got := daysSince1970(y, int(m), d); int64(got)*86400 != day.Unix() {
			t.Fatalf("%s is day %d", day.Format(time.DateOnly), got)
		}
	}
}

func TestParseRFC3339AgreesWithTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := func(name string, width, most int) string {
			return fmt.Sprintf("%0*d", width, rapid.IntRange(0, most).Draw(t, name))
		}
		zone := rapid.SampledFrom([]string{"Z", "z", "+", "-"}).Draw(t, "zone")
		if len(zone) == 1 && zone != "Z" && zone != "z" {
			zone += digits("zone hour", 2, 25) + ":" + digits("zone minute", 2, 61)
		}
		agreeOnTime(t, digits("year", 4, 9999)+"-"+digits("month", 2, 13)+"-"+digits("day", 2, 32)+
			rapid.SampledFrom([]string{"T", "t"}).Draw(t, "T")+
			digits("hour", 2, 24)+":"+digits("minute", 2, 60)+":"+digits("second", 2, 61)+
			rapid.StringMatching(`(\.[0-9]{0,12})?`).Draw(t, "fraction")+zone)
	})
}

func FuzzRFC3339(f *testing.F) {
	for _, seed := range []string{
		"2026-03-02T10:15:30.123Z", "2026-03-02t10:15:30z", "2024-02-29T23:59:59.999999999999+23:59", "0000-01-01T00:00:00-00:01",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { agreeOnTime(t, text) })
}

func agreeOnTime(t failer, text string) {
	t.Helper()
	ms, ok := parseRFC3339([]byte(text))
	want, wantOK := timeOf(text)
	if ok != wantOK || ms != want {
		t.Fatalf("%q: %d %t, want %d %t", text, ms, ok, want, wantOK)
	}
}
