package impression

// parseInt reads a JSON number, which must have been scanned, cut towards zero.
// It tells whether nothing was cut off and whether the result fits 64 bits. Its
// time depends on the number's length alone, not on its size.
func parseInt(b []byte) (n int64, exact, fits bool) {
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) <= 18 {
		if n, ok := parseDigits(b); ok {
			if negative {
				n = -n
			}
			return n, true, true
		}
	}
	u, exact, fits := cutDecimal(b)
	switch {
	case !fits:
		return 0, false, false
	case negative && u <= 1<<63:
		return -int64(u), exact, true
	case !negative && u < 1<<63:
		return int64(u), exact, true
	}
	return 0, false, false
}

// parseDigits reads up to 18 digits and nothing else.
func parseDigits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
}

// cutDecimal reads a number without sign and cuts off its fraction.
func cutDecimal(b []byte) (u uint64, exact, fits bool) {
	digits, point := splitExponent(b)
	// point is the number of digits before the decimal point, once the leading
	// zeros are gone.
	exact = true
	significant := false
	for _, c := range digits {
		if c == '.' {
			continue
		}
		if !significant && c == '0' {
			point--
			continue
		}
		if !significant && point > 19 {
			return 0, false, false
		}
		significant = true
		if point <= 0 {
			exact = exact && c == '0'
			continue
		}
		u = u*10 + uint64(c-'0')
		point--
	}
	if !significant {
		return 0, true, true
	}
	for ; point > 0; point-- {
		u *= 10
	}
	return u, exact, true
}

// splitExponent returns the number's digits with their decimal point, and how
// many digits would stand before the point were the exponent written out.
func splitExponent(b []byte) (digits []byte, point int) {
	dot := -1
	for i, c := range b {
		switch c {
		case '.':
			dot = i
		case 'e', 'E':
			digits, point = b[:i], parseExponent(b[i+1:])
			if dot < 0 {
				dot = i
			}
			return digits, point + dot
		}
	}
	if dot < 0 {
		dot = len(b)
	}
	return b, dot
}

// parseExponent reads an exponent. What is too large for any record's digits to
// make up for is cut.
func parseExponent(b []byte) int {
	const limit = 1 << 40
	negative := b[0] == '-'
	if negative || b[0] == '+' {
		b = b[1:]
	}
	n := 0
	for _, c := range b {
		n = min(n*10+int(c-'0'), limit)
	}
	if negative {
		return -n
	}
	return n
}
