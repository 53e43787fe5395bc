package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	iam "github.com/twmb/franz-go/pkg/sasl/aws"
)

const (
	// earlier is how long before their end credentials are exchanged for new ones. A
	// session with a broker outlives what it was opened with.
	earlier = 5 * time.Minute
	// requestTimeout bounds one request for credentials.
	requestTimeout = 5 * time.Second
	// maxAnswer bounds the answer, bytes.
	maxAnswer = 64 << 10
)

// credentials are what requests are signed with.
type credentials struct {
	accessKey, secretKey, sessionToken string
	ends                               time.Time // zero: never
}

// source fetches credentials.
type source func(context.Context) (credentials, error)

// Mechanism returns the mechanism AWS_MSK_IAM, with the given keys or, where there
// are none, those of the environment. Credentials that end are fetched anew for
// the connections of after. An error tells what to set.
func Mechanism(accessKey, secretKey string) (sasl.Mechanism, error) {
	from, err := choose(accessKey, secretKey)
	if err != nil {
		return nil, err
	}
	k := keeper{from: from}
	return iam.ManagedStreamingIAM(func(ctx context.Context) (iam.Auth, error) {
		c, err := k.credentials(ctx)
		if err != nil {
			return iam.Auth{}, fmt.Errorf("fetching credentials of AWS: %w", err)
		}
		return iam.Auth{AccessKey: c.accessKey, SecretKey: c.secretKey, SessionToken: c.sessionToken, UserAgent: "traitstream"}, nil
	}), nil
}

// choose returns the first source that is set up.
func choose(accessKey, secretKey string) (source, error) {
	given := credentials{accessKey: accessKey, secretKey: secretKey}
	if accessKey == "" && secretKey == "" {
		given = credentials{accessKey: os.Getenv("AWS_ACCESS_KEY_ID"), secretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), sessionToken: os.Getenv("AWS_SESSION_TOKEN")}
	}
	switch {
	case given.accessKey != "" && given.secretKey != "":
		return func(context.Context) (credentials, error) { return given, nil }, nil
	case given.accessKey != "" || given.secretKey != "":
		return nil, errors.New("there is half of a pair of access key and secret key; " +
			"check user and password in kafka.sasl, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	case os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		return fromWebIdentity()
	case os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "" || os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		return fromContainer()
	}
	return nil, errors.New("no credentials of AWS are set up; they are taken from user (access key) and password (secret key) in kafka.sasl, " +
		"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_WEB_IDENTITY_TOKEN_FILE, or AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI; " +
		"profiles and an EC2 instance's own role are not looked at")
}

// keeper fetches credentials anew when they are about to end.
type keeper struct {
	from source

	mu  sync.Mutex // held while they are fetched, so many connections make one request
	now credentials
}

func (k *keeper) credentials(ctx context.Context) (credentials, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now.validFor(earlier) {
		return k.now, nil
	}
	fresh, err := k.from(ctx)
	switch {
	case err != nil && k.now.validFor(0):
		return k.now, nil // the next connection tries again
	case err != nil:
		return credentials{}, err
	case fresh.accessKey == "" || fresh.secretKey == "":
		return credentials{}, errors.New("the answer holds no keys")
	}
	k.now = fresh
	return fresh, nil
}

func (c credentials) validFor(d time.Duration) bool {
	return c.accessKey != "" && (c.ends.IsZero() || time.Now().Add(d).Before(c.ends))
}

// client makes requests for credentials. They are few, and no connection is kept.
func client(proxy bool) *http.Client {
	t := &http.Transport{DisableKeepAlives: true}
	if proxy {
		t.Proxy = http.ProxyFromEnvironment
	}
	return &http.Client{Timeout: requestTimeout, Transport: t}
}
