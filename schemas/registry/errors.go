package registry

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/twmb/franz-go/pkg/sr"
)

// answerOf returns what the registry has answered, nil if it has not.
func answerOf(err error) *sr.ResponseError {
	var answer *sr.ResponseError
	if errors.As(err, &answer) {
		return answer
	}
	return nil
}

// isMissing tells whether there is nothing at an address.
func isMissing(err error) bool {
	a := answerOf(err)
	return a != nil && a.StatusCode == http.StatusNotFound
}

// IsUnknown tells whether a registry has said that it has no such schema, subject
// or version. A 404 without such a code is some other server's.
func IsUnknown(err error) bool {
	return isMissing(err) && answerOf(err).ErrorCode/100 == http.StatusNotFound
}

// isForbidden tells whether the registry lets this user read alone, or is itself
// in a mode in which nothing can be written.
func isForbidden(err error) bool {
	a := answerOf(err)
	return a != nil && (a.StatusCode == http.StatusForbidden || a.StatusCode == http.StatusMethodNotAllowed ||
		a.ErrorCode == sr.ErrOperationNotPermitted.Code)
}

// isPassing tells whether asking again may help.
func isPassing(err error) bool {
	a := answerOf(err)
	return a == nil || a.StatusCode >= http.StatusInternalServerError ||
		a.StatusCode == http.StatusRequestTimeout || a.StatusCode == http.StatusTooManyRequests
}

// explain adds to an answer what to check.
func explain(err error) error {
	a := answerOf(err)
	switch {
	case a == nil:
		return err
	case a.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("it does not take the credentials (HTTP status 401); check schema_registry.user and password, or token: %w", err)
	case a.StatusCode == http.StatusForbidden:
		return fmt.Errorf("it refuses this to the user (HTTP status 403); check the rights of schema_registry.user: %w", err)
	case isMissing(err) && !IsUnknown(err):
		return fmt.Errorf("nothing like a schema registry answers (HTTP status 404); check the path of schema_registry.url: %w", err)
	}
	return fmt.Errorf("HTTP status %d, code %d: %w", a.StatusCode, a.ErrorCode, err)
}
