package trait

import (
	"strconv"
	"time"
)

// parseInstant reads RFC 3339, a date (its midnight in UTC) or a number of ms,
// and returns ms since 1970; parts of a millisecond are cut off.
func parseInstant(text []byte) (int64, bool) {
	if _, ok := parseNumber(text); ok {
		return parseMillis(text)
	}
	const date, clock = len("2006-01-02"), len("2006-01-02T15:04:05")
	if len(text) == date {
		day, ok := parseDay(text)
		return day, ok
	}
	if len(text) <= clock {
		return 0, false
	}
	day, ok := parseDay(text[:date])
	ms, okClock := parseClock(text[date:clock])
	fraction, zone, okFraction := cutFraction(text[clock:])
	offset, okZone := parseZone(zone)
	return day + ms + fraction - offset, ok && okClock && okFraction && okZone
}

func parseMillis(text []byte) (int64, bool) {
	if ms, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return ms, true
	}
	const limit = 1 << 63
	ms, err := strconv.ParseFloat(string(text), 64)
	if err != nil || ms < -limit || ms >= limit {
		return 0, false
	}
	return int64(ms), true
}

// parseDay reads YYYY-MM-DD.
func parseDay(text []byte) (int64, bool) {
	year, ok1 := digits(text[:4])
	month, ok2 := digits(text[5:7])
	day, ok3 := digits(text[8:])
	if !ok1 || !ok2 || !ok3 || text[4] != '-' || text[7] != '-' {
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	// time.Date turns February 30 into March; RFC 3339 refuses it.
	return t.UnixMilli(), t.Month() == time.Month(month)
}

// parseClock reads Thh:mm:ss.
func parseClock(text []byte) (int64, bool) {
	hour, ok1 := digits(text[1:3])
	minute, ok2 := digits(text[4:6])
	second, ok3 := digits(text[7:])
	ok := ok1 && ok2 && ok3 && text[0] == 'T' && text[3] == ':' && text[6] == ':' &&
		hour < 24 && minute < 60 && second < 60
	return int64(hour*3600+minute*60+second) * 1000, ok
}

// cutFraction splits a fraction of a second, in ms, from the zone after it.
func cutFraction(text []byte) (ms int64, zone []byte, ok bool) {
	if text[0] != '.' {
		return 0, text, true
	}
	n := countDigits(text[1:])
	for i := range 3 {
		ms *= 10
		if i < n {
			ms += int64(text[1+i] - '0')
		}
	}
	return ms, text[1+n:], n > 0
}

// parseZone reads Z or ±hh:mm and returns ms east of Greenwich.
func parseZone(text []byte) (int64, bool) {
	if len(text) == 1 {
		return 0, text[0] == 'Z'
	}
	if len(text) != len("+01:00") || text[3] != ':' {
		return 0, false
	}
	hour, ok1 := digits(text[1:3])
	minute, ok2 := digits(text[4:])
	offset := int64(hour*60+minute) * 60_000
	if text[0] == '-' {
		offset = -offset
	}
	return offset, ok1 && ok2 && (text[0] == '+' || text[0] == '-') && hour < 24 && minute < 60
}

// digits reads a few decimal digits and nothing else.
func digits(text []byte) (n int, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
