package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

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

// minToken is how long a token is at least, characters.
const minToken = 16

// token accepts what fits into a header and is not soon guessed. It does not show
// the text.
func token(text string) error {
	visible := func(r rune) bool { return r > ' ' && r <= '~' }
	if len(text) < minToken || strings.ContainsFunc(text, func(r rune) bool { return !visible(r) }) {
		return fmt.Errorf("it must be at least %d visible ASCII characters without blanks; openssl rand -hex 32 makes some", minToken)
	}
	return nil
}

func notEmpty(text string) error {
	if text == "" {
		return errors.New("it is empty; write a value, or leave the key out")
	}
	return nil
}

func anyText(string) error { return nil }
