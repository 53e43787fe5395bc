package aws

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// fromWebIdentity has the security token service (STS) give out a role for the
// token of a file, which Kubernetes writes anew now and then.
func fromWebIdentity() (source, error) {
	file, role := os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), os.Getenv("AWS_ROLE_ARN")
	session := cmp.Or(os.Getenv("AWS_ROLE_SESSION_NAME"), "traitstream")
	at := tokenService()
	if role == "" || at == "" {
		return nil, errors.New("AWS_WEB_IDENTITY_TOKEN_FILE needs AWS_ROLE_ARN and AWS_REGION beside it")
	}
	return func(ctx context.Context) (credentials, error) {
		token, err := readToken(file)
		if err != nil {
			return credentials{}, err
		}
		form := url.Values{
			"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"},
			"RoleArn": {role}, "RoleSessionName": {session}, "WebIdentityToken": {token},
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
		if err != nil {
			return credentials{}, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		body, err := answer(client(true), req)
		if err != nil {
			return credentials{}, fmt.Errorf("asking STS for %s: %w; check that the role trusts the token's issuer and subject", role, err)
		}
		return assumed(body)
	}, nil
}

// assumed reads the answer of AssumeRoleWithWebIdentity, by the API reference of
// STS.
func assumed(body []byte) (credentials, error) {
	var got struct {
		Credentials struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      time.Time
		} `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	if err := xml.Unmarshal(body, &got); err != nil {
		return credentials{}, fmt.Errorf("reading the answer of STS: %w", err)
	}
	c := got.Credentials
	return credentials{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expiration}, nil
}

// tokenService returns the address of STS in the region, empty where none is told.
func tokenService() string {
	if at := cmp.Or(os.Getenv("AWS_ENDPOINT_URL_STS"), os.Getenv("AWS_ENDPOINT_URL")); at != "" {
		return at
	}
	region := cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	switch {
	case region == "":
		return ""
	case strings.HasPrefix(region, "cn-"):
		return "https://sts." + region + ".amazonaws.com.cn/"
	}
	return "https://sts." + region + ".amazonaws.com/"
}
