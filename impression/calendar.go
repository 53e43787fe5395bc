package impression

import "encoding/binary"

// calendar keeps the midnight of a day, since times that come one after the
// other are most often of the same. The zero calendar knows no day.
type calendar struct {
	date     [len("2006-01-02T")]byte
	midnight int64 // UTC, ms since 1970
}

const usualTime = "2006-01-02T15:04:05.000Z"

// time reads a time of the calendar's day that is written as usual. It reports
// false for all others, whether they are good or not.
func (c *calendar) time(b []byte) (ms int64, ok bool) {
	if len(b) != len(usualTime) || string(b[:len(c.date)]) != string(c.date[:]) {
		return 0, false
	}
	if b[13] != ':' || b[16] != ':' || b[19] != '.' || b[23] != 'Z' {
		return 0, false
	}
	clock, milli := b[len(c.date):], b[20:]
	const colons = (':' ^ '0') * (1<<16 | 1<<40) // where they stand zeros are fine
	if !allDigits(binary.LittleEndian.Uint64(clock) ^ colons) {
		return 0, false
	}
	hour, minute, second := twoDigits(clock), twoDigits(clock[3:]), twoDigits(clock[6:])
	hundredths, rest := twoDigits(milli), milli[2]-'0'
	if hour > 23 || minute > 59 || second > 59 || hundredths < 0 || rest > 9 {
		return 0, false
	}
	seconds := (hour*60+minute)*60 + second
	return c.midnight + int64(seconds)*1000 + int64(hundredths)*10 + int64(rest), true
}

// turn turns the calendar to the day of a time that was read from b, if that is
// written as usual.
func (c *calendar) turn(b []byte, ms int64) {
	const day = 24 * 60 * 60 * 1000
	if len(b) == len(usualTime) && b[10] == 'T' && b[19] == '.' {
		copy(c.date[:], b)
		c.midnight = ms - ms%day
	}
}
