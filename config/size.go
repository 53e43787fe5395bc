package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeUnits are powers of two, as IEC 80000-13 names them.
var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// parseSize reads a whole number with a unit, such as 256MiB, in bytes.
func parseSize(text string) (int64, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err == nil && int64(n) <= math.MaxInt64/u.bytes {
			return int64(n) * u.bytes, nil
		}
	}
	return 0, fmt.Errorf("%q is not a size: a whole number with KiB, MiB or GiB, such as 256MiB", text)
}

// formatSize writes a size in the largest unit that leaves no rest.
func formatSize(bytes int64) string {
	for _, u := range sizeUnits {
		if bytes%u.bytes == 0 && bytes != 0 {
			return fmt.Sprintf("%d%s", bytes/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(bytes, 10)
}
