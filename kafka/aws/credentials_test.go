package aws

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// unset leaves nothing of the environment that tells of credentials.
func unset(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	} {
		t.Setenv(name, "")
	}
}

const broker = "b-1.demo.kafka.eu-west-1.amazonaws.com:9098"

// payload is what a client sends to the broker to log in.
func payload(t *testing.T, accessKey, secretKey string) map[string]string {
	t.Helper()
	m, err := Mechanism(accessKey, secretKey)
	if err != nil {
		t.Fatal(err)
	}
	_, text, err := m.Authenticate(context.Background(), broker)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// signingKey is that of Signature Version 4.
func signingKey(secret, day, region, service string) []byte {
	return mac(mac(mac(mac([]byte("AWS4"+secret), day), region), service), "aws4_request")
}

// The example of AWS's documentation, "Create a signed AWS API request".
func TestSigningKey(t *testing.T) {
	got := hex.EncodeToString(signingKey("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam"))
	if want := "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// signature computes it anew from what the payload says, as the broker does.
func signature(fields map[string]string, secret string) string {
	query := url.Values{"Action": {fields["action"]}}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Security-Token", "X-Amz-SignedHeaders"} {
		if v := fields[strings.ToLower(name)]; v != "" {
			query.Set(name, v)
		}
	}
	empty := sha256.Sum256(nil)
	request := sha256.Sum256([]byte(strings.Join([]string{
		"GET", "/", strings.ReplaceAll(query.Encode(), "+", "%20"), "host:" + fields["host"], "", "host", hex.EncodeToString(empty[:]),
	}, "\n")))
	_, scope, _ := strings.Cut(fields["x-amz-credential"], "/")
	part := strings.Split(scope, "/")
	text := strings.Join([]string{"AWS4-HMAC-SHA256", fields["x-amz-date"], scope, hex.EncodeToString(request[:])}, "\n")
	return hex.EncodeToString(mac(signingKey(secret, part[0], part[1], part[2]), text))
}

// What is sent is signed by the credentials, for the broker and its region.
func TestPayload(t *testing.T) {
	unset(t)
	for what, c := range map[string]struct{ given, inEnvironment [2]string }{
		"keys that are given":     {given: [2]string{"AKIAGIVEN", "s3cret"}, inEnvironment: [2]string{"AKIAOTHER", "other"}},
		"keys of the environment": {inEnvironment: [2]string{"AKIAENV", "s3cret"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", c.inEnvironment[0])
			t.Setenv("AWS_SECRET_ACCESS_KEY", c.inEnvironment[1])
			t.Setenv("AWS_SESSION_TOKEN", "to/ken+=")
			key, token := c.given[0], ""
			if key == "" {
				key, token = c.inEnvironment[0], "to/ken+="
			}
			got := payload(t, c.given[0], c.given[1])
			for field, want := range map[string]string{
				"version": "2020_10_22", "host": "b-1.demo.kafka.eu-west-1.amazonaws.com", "user-agent": "traitstream",
				"action": "kafka-cluster:Connect", "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-signedheaders": "host",
				"x-amz-credential":     key + "/" + got["x-amz-date"][:8] + "/eu-west-1/kafka-cluster/aws4_request",
				"x-amz-security-token": token,
				"x-amz-signature":      signature(got, "s3cret"),
			} {
				if got[field] != want {
					t.Errorf("%s is %q, want %q", field, got[field], want)
				}
			}
		})
	}
}

// Where nothing is set up, or half of it, the error says what is to be set.
func TestNothingSetUp(t *testing.T) {
	for what, c := range map[string]struct {
		set  map[string]string
		want string
	}{
		"nothing":         {nil, "no credentials of AWS are set up"},
		"half a pair":     {map[string]string{"AWS_ACCESS_KEY_ID": "AKIA"}, "half of a pair"},
		"no role":         {map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_REGION": "eu-west-1"}, "AWS_ROLE_ARN and AWS_REGION"},
		"no region":       {map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn"}, "AWS_ROLE_ARN and AWS_REGION"},
		"an open network": {map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/x"}, "must be https"},
		"no address":      {map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[::1"}, "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
	} {
		t.Run(what, func(t *testing.T) {
			unset(t)
			for name, value := range c.set {
				t.Setenv(name, value)
			}
			if _, err := Mechanism("", ""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// Credentials are kept until shortly before their end; what can't be had anew is
// used to the end.
func TestCredentialsAreFetchedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, away := 0, errors.New("away")
		var failing error
		k := keeper{from: func(context.Context) (credentials, error) {
			asked++
			return credentials{accessKey: "A", secretKey: "S", ends: time.Now().Add(time.Hour)}, failing
		}}
		for _, step := range []struct {
			after   time.Duration
			failing error
			asked   int
			want    error
		}{
			{0, away, 1, away},
			{0, nil, 2, nil},
			{54 * time.Minute, away, 2, nil},
			{2 * time.Minute, away, 3, nil}, // the old ones hold for four minutes
			{3 * time.Minute, away, 4, nil},
			{time.Minute, away, 5, away},
			{0, nil, 6, nil},
		} {
			<-time.After(step.after)
			failing = step.failing
			c, err := k.credentials(t.Context())
			if !errors.Is(err, step.want) || asked != step.asked || err == nil && c.accessKey != "A" {
				t.Fatalf("%+v: %+v, %v, asked %d times", step, c, err, asked)
			}
		}
		empty := keeper{from: func(context.Context) (credentials, error) { return credentials{}, nil }}
		if _, err := empty.credentials(t.Context()); err == nil {
			t.Error("an answer without keys is taken")
		}
	})
}
