package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// secrets are the values that must show up nowhere.
var secrets = []string{"kafka-pass-4711", "http-token-4711-4711", "oauth-token-4711"}

func withoutSecrets(t *testing.T, where, text string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s shows %s:\n%s", where, s, text)
		}
	}
}

// A process with secrets in its configuration shows none, whatever it is asked.
func TestSecretsOfAProcess(t *testing.T) {
	s := newStage(t, "")
	s.config = write(t, s.dir, "s.yaml", fmt.Sprintf("kafka: {brokers: [%q], sasl: {mechanism: SCRAM-SHA-512, user: app, password: %s}}\n"+
		"http: {listen: %q, token: %s, pprof: true}\nstate: {dir: data}\n", s.broker, secrets[0], s.http, secrets[1]))
	r := s.run(t)
	for _, path := range []string{"/metrics", "/status", "/livez", "/readyz", "/debug/pprof/", "/debug/pprof/cmdline", "/no"} {
		withoutSecrets(t, path, get(s.http, path))
	}
	if got := profile(t, s.http, ""); got != http.StatusUnauthorized {
		t.Errorf("without the token profiles answer %d", got)
	}
	if got := profile(t, s.http, secrets[1]); got != http.StatusOK {
		t.Errorf("with the token profiles answer %d", got)
	}
	if status := r.stop(); status != exitDone {
		t.Fatalf("stopped with status %d: %s", status, r.stderr)
	}
	withoutSecrets(t, "the log", r.stderr.String()+r.stdout.String())
}

// profile asks for a profile and returns the status.
func profile(t *testing.T, address, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/debug/pprof/heap", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// What goes wrong with secrets is told without them.
func TestSecretsInErrors(t *testing.T) {
	dir, away := t.TempDir(), freeAddress(t)
	for name, text := range map[string]string{
		"a broker that is away":    fmt.Sprintf("kafka: {brokers: [%q], sasl: {mechanism: PLAIN, user: app, password: %s}}", away, secrets[0]),
		"another mechanism":        fmt.Sprintf("kafka: {brokers: [%q], sasl: {mechanism: PLAINER, user: app, password: %s}}", away, secrets[0]),
		"an unknown key":           fmt.Sprintf("kafka: {brokers: [%q], sasl: {mechanism: OAUTHBEARER, tokens: %s}}", away, secrets[2]),
		"a token of another type":  fmt.Sprintf("kafka: {brokers: [%q], sasl: {mechanism: OAUTHBEARER, token: [%s]}}", away, secrets[2]),
		"a token that has a blank": fmt.Sprintf("http: {token: '%s '}", secrets[1]),
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, dir, strings.ReplaceAll(name, " ", "-")+".yaml", text)
			for _, command := range []string{"validate", "status", "run"} {
				status, stdout, stderr := program(t, "", command, "-c", file)
				if status == exitDone && command != "validate" {
					t.Errorf("%s succeeds", command)
				}
				withoutSecrets(t, command, stdout+stderr)
			}
		})
	}
}
