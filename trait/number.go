package trait

import (
	"bytes"
	"cmp"
)

// number is a JSON number taken apart, so that numbers of any size and scale
// compare exactly: 2^53+1 is not 2^53, and 1e400 is no infinity.
type number struct {
	sign   int    // -1, 0 or 1
	digits []byte // from the first to the last that is not 0; the point may stand among them
	scale  int    // the power of ten of the first digit
}

// maxExponent keeps sums of exponents from overflowing.
const maxExponent = 1 << 40

// parseNumber reads text that is a number by JSON's grammar, and nothing else.
func parseNumber(text []byte) (number, bool) {
	n := number{sign: 1}
	if len(text) > 0 && text[0] == '-' {
		n.sign = -1
		text = text[1:]
	}
	whole := countDigits(text)
	if whole == 0 || whole > 1 && text[0] == '0' {
		return number{}, false
	}
	end := whole
	if end < len(text) && text[end] == '.' {
		fraction := countDigits(text[end+1:])
		if fraction == 0 {
			return number{}, false
		}
		end += 1 + fraction
	}
	exponent, ok := parseExponent(text[end:])
	if !ok {
		return number{}, false
	}
	first := bytes.IndexAny(text[:end], "123456789")
	if first < 0 {
		return number{}, true
	}
	n.digits = bytes.TrimRight(text[first:end], "0.")
	n.scale = exponent + whole - first
	if first < whole {
		n.scale--
	}
	return n, true
}

func countDigits(text []byte) int {
	for i, c := range text {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(text)
}

// parseExponent reads nothing, or e and an integer.
func parseExponent(text []byte) (int, bool) {
	if len(text) == 0 {
		return 0, true
	}
	if text[0]|0x20 != 'e' {
		return 0, false
	}
	text = text[1:]
	sign := 1
	if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	if len(text) == 0 || countDigits(text) < len(text) {
		return 0, false
	}
	exponent := 0
	for _, c := range text {
		exponent = min(exponent*10+int(c-'0'), maxExponent)
	}
	return sign * exponent, true
}

// compare returns -1, 0 or 1 as n is less than, equal to or greater than o.
func (n number) compare(o number) int {
	switch {
	case n.sign != o.sign:
		return cmp.Compare(n.sign, o.sign)
	case n.scale != o.scale:
		return n.sign * cmp.Compare(n.scale, o.scale)
	}
	return n.sign * compareDigits(n.digits, o.digits)
}

func compareDigits(a, b []byte) int {
	for {
		a, b = skipPoint(a), skipPoint(b)
		if len(a) == 0 || len(b) == 0 {
			return cmp.Compare(len(a), len(b))
		}
		if a[0] != b[0] {
			return cmp.Compare(int(a[0]), int(b[0]))
		}
		a, b = a[1:], b[1:]
	}
}

func skipPoint(digits []byte) []byte {
	if len(digits) > 0 && digits[0] == '.' {
		return digits[1:]
	}
	return digits
}
