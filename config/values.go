package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

var units = []struct {
	name   string
	length time.Duration
}{
	// ms stands before m and s, which it begins and ends with.
	{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", day},
}

// parseDuration reads numbers with a unit each, such as 100ms, 1.5h or 1d12h,
// and adds them up.
func parseDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration: a number with ms, s, m, h or d, such as 100ms or 1h30m", text)
	if text == "" || strings.HasPrefix(text, "-") {
		return 0, bad
	}
	var sum float64
	for rest := text; rest != ""; {
		end := strings.IndexFunc(rest, func(c rune) bool { return c != '.' && (c < '0' || c > '9') })
		if end <= 0 {
			return 0, bad
		}
		number, err := strconv.ParseFloat(rest[:end], 64)
		if err != nil {
			return 0, bad
		}
		rest = rest[end:]
		known := false
		for _, unit := range units {
			if after, ok := strings.CutPrefix(rest, unit.name); ok {
				sum += number * float64(unit.length)
				rest, known = after, true
				break
			}
		}
		if !known {
			return 0, bad
		}
	}
	if sum >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is too long; the longest duration is 106751d", text)
	}
	return time.Duration(math.Round(sum)), nil
}

// formatDuration writes a duration in the largest unit that leaves no rest.
func formatDuration(d time.Duration) string {
	for i := len(units) - 1; i >= 0; i-- {
		if unit := units[i]; d%unit.length == 0 && d != 0 {
			return fmt.Sprintf("%d%s", d/unit.length, unit.name)
		}
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

// ParseTime reads a point in time as the configuration and the commands take
// it: RFC 3339, a date (its midnight in UTC) or milliseconds since 1970, not
// before 2010.
func ParseTime(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		var ms int64
		ms, err = strconv.ParseInt(text, 10, 64)
		at = time.UnixMilli(ms).UTC()
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time: RFC 3339 such as 2026-03-02T10:15:30Z, a date such as 2026-03-02, or milliseconds since 1970", text)
	}
	if at.Year() < 2010 {
		return time.Time{}, fmt.Errorf("%q lies before 2010; a number is taken as milliseconds since 1970", text)
	}
	return at, nil
}

// topicName tells what Kafka has against a topic's name.
func topicName(text string) error {
	if text == "" || len(text) > 249 {
		return errors.New("a topic's name has 1 to 249 characters")
	}
	return kafkaName(text)
}

func kafkaName(text string) error {
	for _, c := range text {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", c) {
			return fmt.Errorf("%q holds %q; Kafka allows a-z, A-Z, 0-9, '.', '_' and '-'", text, c)
		}
	}
	if text == "." || text == ".." {
		return fmt.Errorf("%q is a name that Kafka refuses", text)
	}
	return nil
}

// appName leaves room for the longest name that is built from it.
func appName(text string) error {
	longest := 249 - len(changelogSuffix)
	if text == "" || len(text) > longest {
		return fmt.Errorf("it begins the names of topics and so has 1 to %d characters", longest)
	}
	return kafkaName(text)
}

// brokerAddress accepts host or host:port.
func brokerAddress(text string) error {
	if _, _, err := net.SplitHostPort(text); err == nil {
		return hostPort(text)
	}
	if text == "" || strings.ContainsAny(text, ":/ ") {
		return fmt.Errorf("%q is no broker; write host:port", text)
	}
	return nil
}

// hostPort accepts host:port with a numeric port and a host.
func hostPort(text string) error {
	host, port, err := net.SplitHostPort(text)
	if number, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || host == "" || number == 0 {
		return fmt.Errorf("%q is no address; write host:port with a port from 1 to 65535", text)
	}
	return nil
}

// listenAddress accepts host:port, :port for every interface, port 0 for a free
// one, and nothing for no listener.
func listenAddress(text string) error {
	if text == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(text)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		return fmt.Errorf("%q is no address; write host:port or :port, or \"\" for no listener", text)
	}
	return nil
}

// webAddress does not show the text, which may hold a password.
func webAddress(text string) error {
	at, err := url.Parse(text)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return errors.New("it must be a URL that begins with http:// or https://")
	}
	return nil
}

func notEmpty(text string) error {
	if text == "" {
		return errors.New("it is empty; leave it out for the default")
	}
	return nil
}

func anyText(string) error { return nil }

func (r *reader) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.folder, path)
}
