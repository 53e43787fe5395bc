package impression

import "fmt"

// firstTime is 2010-01-01T00:00:00Z. An earlier time is most often one in
// seconds.
const firstTime = 1_262_304_000_000

// parseTime reads a number of milliseconds, which may stand in a string, or
// RFC 3339. The fault tells why it is no time.
func parseTime(b []byte) (ms int64, fault string) {
	if isNumber(b) {
		return parseMillis(b)
	}
	ms, ok := parseRFC3339(b)
	if !ok {
		return 0, "time " + quote(b) + " is neither milliseconds nor RFC 3339"
	}
	if ms < firstTime {
		return 0, "time " + quote(b) + " lies before 2010"
	}
	return ms, ""
}

// parseMillis reads a JSON number of milliseconds.
func parseMillis(b []byte) (ms int64, fault string) {
	n, _, fits := parseInt(b)
	if !fits {
		return 0, "time " + quote(b) + " is too large"
	}
	if n < firstTime {
		return 0, earlyTime(n)
	}
	return n, ""
}

func earlyTime(ms int64) string {
	if ms >= firstTime/1000 && ms < 1<<32 {
		return fmt.Sprintf("time %d lies before 2010 (is it in seconds?)", ms)
	}
	return fmt.Sprintf("time %d lies before 2010", ms)
}

// isNumber tells whether b is exactly a JSON number.
func isNumber(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	s := scanner{data: b}
	return s.number(0) == len(b)
}

// parseRFC3339 reads a date-time of RFC 3339, cut to milliseconds. A leap
// second is refused.
func parseRFC3339(b []byte) (ms int64, ok bool) {
	if len(b) < len("2006-01-02T15:04:05Z") || b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	century, year := twoDigits(b), twoDigits(b[2:])
	month, day := twoDigits(b[5:]), twoDigits(b[8:])
	hour, minute, second := twoDigits(b[11:]), twoDigits(b[14:]), twoDigits(b[17:])
	if century < 0 || year < 0 || uint(hour) > 23 || uint(minute) > 59 || uint(second) > 59 {
		return 0, false
	}
	year += 100 * century
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	milli, zone, ok := parseFraction(b[19:])
	if !ok {
		return 0, false
	}
	offset, ok := parseZone(zone)
	if !ok {
		return 0, false
	}
	minutes := (daysSince1970(year, month, day)*24+hour)*60 + minute - offset
	return int64(minutes)*60_000 + int64(second)*1000 + int64(milli), true
}

// twoDigits reads the two digits that b begins with, or returns -1.
func twoDigits(b []byte) int {
	tens, ones := b[0]-'0', b[1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return int(tens)*10 + int(ones)
}

// parseFraction reads the fraction of a second, if there is one, and returns
// what follows it.
func parseFraction(b []byte) (milli int, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '.' {
		return 0, b, true
	}
	i, unit := 1, 100
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		milli += int(b[i]-'0') * unit
		unit /= 10
	}
	return milli, b[i:], i > 1
}

// parseZone reads Z or an offset, and returns the latter in minutes.
func parseZone(b []byte) (minutes int, ok bool) {
	if len(b) == 1 {
		return 0, b[0]|0x20 == 'z'
	}
	if len(b) != len("+00:00") || b[3] != ':' {
		return 0, false
	}
	hour, minute := twoDigits(b[1:]), twoDigits(b[4:])
	if uint(hour) > 23 || uint(minute) > 59 {
		return 0, false
	}
	minutes = hour*60 + minute
	switch b[0] {
	case '+':
		return minutes, true
	case '-':
		return -minutes, true
	}
	return 0, false
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts days in the Gregorian calendar. Years are taken to begin
// in March, so that a leap day comes last.
func daysSince1970(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	const march1st0000 = -719_468 // in days since 1970
	// Year -1 (January of year 0) is shifted by a cycle of 400 years.
	y := year + 400
	return y*365 + y/4 - y/100 + y/400 + dayOfYear + march1st0000 - 146_097
}
