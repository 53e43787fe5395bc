package schemas

import "time"

// timeLayout is RFC 3339 in UTC with three digits of fraction.
const timeLayout = "2006-01-02T15:04:05.000Z"

const (
	msPerDay = 24 * 60 * 60 * 1000
	// plainDays are those from 1970 on of years of four digits.
	plainDays = 2_932_897
)

// appendTime appends a time, in ms since 1970, in timeLayout. The library takes
// as long for it as all the rest of a change takes.
func appendTime(dst []byte, ms int64) []byte {
	if ms < 0 || ms >= plainDays*msPerDay {
		return time.UnixMilli(ms).UTC().AppendFormat(dst, timeLayout)
	}
	year, month, day := civil(uint32(ms / msPerDay))
	rest := uint32(ms % msPerDay)
	dst = append(appendTwo(appendTwo(dst, year/100), year%100), '-')
	dst = append(appendTwo(dst, month), '-')
	dst = append(appendTwo(dst, day), 'T')
	dst = append(appendTwo(dst, rest/3_600_000), ':')
	dst = append(appendTwo(dst, rest/60_000%60), ':')
	dst = append(appendTwo(dst, rest/1000%60), '.')
	rest %= 1000
	return append(appendTwo(append(dst, byte('0'+rest/100)), rest%100), 'Z')
}

func appendTwo(dst []byte, n uint32) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// civil returns the date of a day, counted from 1970. It counts years from March,
// so that the day that some do not have is the last, and in eras of 400 years,
// which are all equally long (Hinnant, chrono-compatible low-level date
// algorithms).
func civil(day uint32) (year, month, dayOfMonth uint32) {
	day += 719_468 // from March of the year 0
	era, ofEra := day/146_097, day%146_097
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36_524 - ofEra/146_096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	fromMarch := (5*ofYear + 2) / 153
	dayOfMonth = ofYear - (153*fromMarch+2)/5 + 1
	year, month = era*400+yearOfEra, fromMarch+3
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, dayOfMonth
}

// FormatTime writes a time, in ms since 1970, as the traits topic does.
func FormatTime(ms int64) string { return string(appendTime(nil, ms)) }
