package aws

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var end = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func chosen(t *testing.T) source {
	t.Helper()
	from, err := choose("", "")
	if err != nil {
		t.Fatal(err)
	}
	return from
}

// The answer is the example of the STS API reference, shortened.
const assumedRole = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>amzn1.account.AF6RHO7KZU5XRVQJGXK6HB56KR2A</SubjectFromWebIdentityToken>
    <Audience>client.5498841531868486423.1548@apps.example.com</Audience>
    <Credentials>
      <SessionToken>token</SessionToken>
      <SecretAccessKey>secret</SecretAccessKey>
      <Expiration>2026-03-02T11:00:00Z</Expiration>
      <AccessKeyId>ASIA</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`

func TestWebIdentity(t *testing.T) {
	unset(t)
	var got []string
	status, body := http.StatusOK, assumedRole
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.PostFormValue("Action")+" "+r.PostFormValue("Version")+" "+r.PostFormValue("RoleArn")+" "+
			r.PostFormValue("RoleSessionName")+" "+r.PostFormValue("WebIdentityToken"))
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}))
	defer sts.Close()
	file := filepath.Join(t.TempDir(), "token")
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
	t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/app")
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	from := chosen(t)
	if _, err := from(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, though there is no token", err)
	}
	for _, token := range []string{"one", "two"} { // Kubernetes writes it anew
		write(t, file, token+"\n")
		c, err := from(t.Context())
		if want := (credentials{"ASIA", "secret", "token", end}); err != nil || c != want {
			t.Errorf("%+v, %v", c, err)
		}
		if want := "POST AssumeRoleWithWebIdentity 2011-06-15 arn:aws:iam::1:role/app traitstream " + token; got[len(got)-1] != want {
			t.Errorf("it was asked %q, want %q", got[len(got)-1], want)
		}
	}
	status = http.StatusForbidden
	if _, err := from(t.Context()); err == nil || !strings.Contains(err.Error(), "403") || strings.Contains(err.Error(), "two") {
		t.Errorf("refused: %v", err)
	}
	status, body = http.StatusOK, "<html>"
	if _, err := from(t.Context()); err == nil {
		t.Error("what is no answer of STS is taken for one")
	}
}

// STS is asked in the region, China's under its own domain.
func TestTokenService(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"AWS_REGION", "eu-west-1", "https://sts.eu-west-1.amazonaws.com/"},
		{"AWS_DEFAULT_REGION", "cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"},
		{"AWS_ENDPOINT_URL", "http://127.0.0.1:1", "http://127.0.0.1:1"},
		{"AWS_REGION", "", ""},
	} {
		unset(t)
		t.Setenv(c.name, c.value)
		if got := tokenService(); got != c.want {
			t.Errorf("%s=%s: %s, want %s", c.name, c.value, got, c.want)
		}
	}
}

func TestContainer(t *testing.T) {
	unset(t)
	var got []string
	status, body := http.StatusOK, `{"RoleArn":"arn","AccessKeyId":"ASIA","SecretAccessKey":"secret","Token":"token","Expiration":"2026-03-02T11:00:00Z"}`
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization"))
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}))
	defer agent.Close()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.URL+"/v1/credentials")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "plain")
	from := chosen(t)
	ask := func(want string) {
		t.Helper()
		c, err := from(t.Context())
		if keys := (credentials{"ASIA", "secret", "token", end}); err != nil || c != keys {
			t.Errorf("%+v, %v", c, err)
		}
		if got[len(got)-1] != want {
			t.Errorf("it was asked %q, want %q", got[len(got)-1], want)
		}
	}
	ask("GET /v1/credentials plain")
	file := filepath.Join(t.TempDir(), "token")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)
	if _, err := from(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, though there is no token", err)
	}
	write(t, file, "from a file\n")
	ask("GET /v1/credentials from a file")
	status = http.StatusInternalServerError
	if _, err := from(t.Context()); err == nil || !strings.Contains(err.Error(), "500") || strings.Contains(err.Error(), "secret") {
		t.Errorf("failed: %v", err)
	}
	status, body = http.StatusOK, "no JSON"
	if _, err := from(t.Context()); err == nil {
		t.Error("what is no answer is taken for one")
	}
}

func TestContainerEndpoint(t *testing.T) {
	unset(t)
	for _, at := range []string{"https://example.com/x", "http://localhost/x", "http://127.0.0.2:80/x", "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1/credentials"} {
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", at)
		if got, err := containerEndpoint(); err != nil || got != at {
			t.Errorf("%s: %s, %v", at, got, err)
		}
	}
	for _, at := range []string{"http://10.0.0.1/x", "ftp://localhost/x", "https:///x", "x"} {
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", at)
		if got, err := containerEndpoint(); err == nil {
			t.Errorf("%s is taken as %s", at, got)
		}
	}
	t.Setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x")
	if got, err := containerEndpoint(); err != nil || got != "http://169.254.170.2/v2/credentials/x" {
		t.Errorf("%s, %v", got, err)
	}
}

// FuzzAssumed reads any bytes as an answer of STS.
func FuzzAssumed(f *testing.F) {
	f.Add([]byte(assumedRole))
	f.Add([]byte("<AssumeRoleWithWebIdentityResponse><x"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if c, err := assumed(body); err != nil && c != (credentials{}) {
			t.Fatalf("%+v with %v", c, err)
		}
	})
}
