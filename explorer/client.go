package explorer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"traitstream/state"
)

// Client asks processes over HTTP.
type Client struct {
	Token string // http.token; may be empty
}

// askPatience is longer than a process takes that passes a request on.
const askPatience = passPatience + 4*time.Second

// RefusedError is the answer of a process that tells nothing.
type RefusedError struct {
	Address string
	Status  int
	Why     string // a sentence of the process
}

// Error says what the process says.
func (e *RefusedError) Error() string { return e.Address + " answers: " + e.Why }

// Temporary tells whether it may be asked again in a moment.
func (e *RefusedError) Temporary() bool { return e.Status == http.StatusServiceUnavailable }

// User asks the process at an address, host:port, for the traits of a user behind
// a name, or from the first one on where that is nil. An answer that tells nothing
// is a [*RefusedError].
func (c *Client) User(ctx context.Context, address string, u state.User, behind *string) (*User, error) {
	query := ""
	if behind != nil {
		query = "?" + url.Values{"behind": {*behind}}.Encode()
	}
	var user User
	if err := c.get(ctx, address, userPath(u)+query, &user); err != nil {
		return nil, err
	}
	for i := range user.Traits {
		user.Traits[i].clean()
	}
	return &user, nil
}

// Trait asks for one trait, as User does.
func (c *Client) Trait(ctx context.Context, address string, u state.User, name string) (*Trait, error) {
	var one Trait
	if err := c.get(ctx, address, userPath(u)+"/"+escape(name), &one); err != nil {
		return nil, err
	}
	one.clean()
	return &one, nil
}

// clean makes nothing of what is null.
func (one *Trait) clean() {
	for _, v := range []*json.RawMessage{&one.Value, &one.Previous, &one.Unsent} {
		if string(*v) == "null" {
			*v = nil
		}
	}
}

func userPath(u state.User) string {
	return "/v1/users/" + u.Identity.String() + "/" + escape(u.ID) + "/traits"
}

// escape escapes a part of a path. A part that is made of dots would be taken for
// a step up.
func escape(part string) string {
	if strings.Trim(part, ".") == "" {
		return strings.ReplaceAll(part, ".", "%2E")
	}
	return url.PathEscape(part)
}

// get reads an answer into v, that nothing is known too.
func (c *Client) get(ctx context.Context, address, path string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("asking at %s: %w", address, err)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := newClient().Do(req)
	if err != nil {
		return fmt.Errorf("asking at %s: %w", address, unwrapped(err))
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		return fmt.Errorf("asking at %s: %w", address, err)
	}
	isJSON := strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json")
	var no refusal
	if isJSON {
		_ = json.Unmarshal(body, &no) // what it is not has no error in it
	}
	switch {
	case no.Error == "" && isJSON && (resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNotFound):
	case no.Error != "":
		return &RefusedError{address, resp.StatusCode, no.Error}
	case resp.StatusCode == http.StatusNotFound:
		return &RefusedError{address, resp.StatusCode, "it does not know the question; is it of an older release?"}
	default: // of what guards it
		return &RefusedError{address, resp.StatusCode, strings.TrimSpace(string(body[:min(len(body), 300)]))}
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", address, err)
	}
	return nil
}

// unwrapped leaves out the address, which names the user.
func unwrapped(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // it is the client's own
		return e.Err
	}
	return err
}
