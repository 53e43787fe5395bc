package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNotShown(t *testing.T) {
	c := Config{HTTP: HTTP{Token: "0123456789abcdef"}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, verb, c.HTTP)
		fmt.Fprintf(&out, verb, c.HTTP.Token)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("a", "config", c, "token", c.HTTP.Token)
	slog.New(slog.NewTextHandler(&out, nil)).Info("a", "config", c, "token", c.HTTP.Token)
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.Contains(s, "0123") || strings.Contains(s, "30313233") || !strings.Contains(s, hidden) {
		t.Errorf("it shows the token: %s", s)
	}
}

func TestHTTPSettings(t *testing.T) {
	c := parse(t, "http: {token: 0123456789abcdeg, pprof: true}")
	if c.HTTP.Token != "0123456789abcdeg" || !c.HTTP.Pprof {
		t.Errorf("token %q, pprof %v", string(c.HTTP.Token), c.HTTP.Pprof)
	}
}
