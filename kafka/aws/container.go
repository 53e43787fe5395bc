package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	ecs = "169.254.170.2"  // the agent of ECS, where a relative URI leads to
	eks = "169.254.170.23" // the agent of EKS Pod Identity
	ek6 = "fd00:ec2::23"   // the same
)

// fromContainer asks the endpoint that ECS and EKS Pod Identity give to a
// container.
func fromContainer() (source, error) {
	at, err := containerEndpoint()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (credentials, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return credentials{}, err
		}
		token := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
		if file := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" { // it is written anew now and then
			if token, err = readToken(file); err != nil {
				return credentials{}, err
			}
		}
		if token != "" {
			req.Header.Set("Authorization", token)
		}
		body, err := answer(client(false), req)
		if err != nil {
			return credentials{}, err
		}
		var got struct {
			AccessKeyID, SecretAccessKey, Token string
			Expiration                          time.Time
		}
		if err := json.Unmarshal(body, &got); err != nil {
			return credentials{}, fmt.Errorf("reading the answer of %s: %w", at, err)
		}
		return credentials{got.AccessKeyID, got.SecretAccessKey, got.Token, got.Expiration}, nil
	}, nil
}

// containerEndpoint returns where to ask. Credentials, and the token that they are
// given for, do not go over an open network, as the SDKs have it.
func containerEndpoint() (string, error) {
	if relative := os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); relative != "" {
		return "http://" + ecs + relative, nil
	}
	full := os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	u, err := url.Parse(full)
	if err != nil {
		return "", fmt.Errorf("reading AWS_CONTAINER_CREDENTIALS_FULL_URI: %w", err)
	}
	ip, _ := netip.ParseAddr(u.Hostname())
	switch host := u.Hostname(); {
	case u.Scheme == "https" && host != "":
		return full, nil
	case u.Scheme == "http" && (ip.IsLoopback() || host == "localhost" || host == ecs || host == eks || host == ek6):
		return full, nil
	}
	return "", fmt.Errorf("AWS_CONTAINER_CREDENTIALS_FULL_URI is %q; it must be https, or http to this machine, %s, %s or %s", full, ecs, eks, ek6)
}

func readToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// answer returns the body of an answer that is a success. An error tells no more
// of another one than its status: who knows what it holds.
func answer(c *http.Client, req *http.Request) ([]byte, error) {
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it is read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s says %s", req.URL.Host, resp.Status)
	}
	return body, nil
}
