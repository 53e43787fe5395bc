package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"traitstream/schemas/avro"
)

// Options tell how to reach a registry. There is a User with a Password, or a
// Token, or neither.
type Options struct {
	URLs           []string
	User, Password string
	Token          string
	TLS            *tls.Config   // nil: the system's CAs, where a URL is https
	Timeout        time.Duration // how long Register waits for a registry that is away
	Log            *slog.Logger  // hears of waiting
}

const (
	// requestTimeout bounds one request to one URL.
	requestTimeout = 5 * time.Second
	// unknownFor is how long an id that the registry does not know is taken for
	// that without asking again, and mostUnknown how many are remembered: who
	// writes garbage must not make a request of each record.
	unknownFor  = time.Minute
	mostUnknown = 10_000
)

// Client asks a registry. It is safe for concurrent use.
type Client struct {
	o      Options
	client *sr.Client

	mu      sync.Mutex
	known   map[avro.ID]*avro.Schema
	unknown map[avro.ID]refusal
}

// refusal is a final answer, and until when it holds.
type refusal struct {
	err   *avro.UnknownError
	until time.Time
}

// New returns a client that has asked for nothing yet.
func New(o Options) (*Client, error) {
	// Requests are few and far between, so no connection is kept.
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: o.TLS, DisableKeepAlives: true}
	options := []sr.ClientOpt{
		sr.URLs(o.URLs...), sr.UserAgent("traitstream"),
		sr.HTTPClient(&http.Client{Timeout: requestTimeout, Transport: transport}),
	}
	if o.User != "" {
		options = append(options, sr.BasicAuth(o.User, o.Password))
	}
	if o.Token != "" {
		options = append(options, sr.BearerToken(o.Token))
	}
	client, err := sr.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("setting up the schema registry's client: %w", err)
	}
	return &Client{o: o, client: client, known: map[avro.ID]*avro.Schema{}, unknown: map[avro.ID]refusal{}}, nil
}

// Lookup returns what finds schemas until ctx ends.
func (c *Client) Lookup(ctx context.Context) avro.Lookup {
	return func(id avro.ID) (*avro.Schema, error) { return c.Schema(ctx, id) }
}

// Schema returns a schema. An [*avro.UnknownError] is final; any other error is
// an [avro.ErrAway], after which it may be asked again.
func (c *Client) Schema(ctx context.Context, id avro.ID) (*avro.Schema, error) {
	if s, err := c.remembered(id); s != nil || err != nil {
		return s, err
	}
	s, err := c.ask(ctx, id)
	var final *avro.UnknownError
	if err != nil && !errors.As(err, &final) {
		return nil, fmt.Errorf("%w at %s for schema %s: %w", avro.ErrAway, c.where(), id, explain(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if final == nil {
		c.known[id] = s
		return s, nil
	}
	if len(c.unknown) >= mostUnknown {
		clear(c.unknown)
	}
	c.unknown[id] = refusal{final, time.Now().Add(unknownFor)}
	return nil, final
}

func (c *Client) remembered(id avro.ID) (*avro.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.known[id]; s != nil {
		return s, nil
	}
	if r, ok := c.unknown[id]; ok && time.Now().Before(r.until) {
		return nil, r.err
	}
	return nil, nil
}

func (c *Client) where() string { return strings.Join(c.o.URLs, ", ") }

// ask gets a schema, with what it refers to, from the registry.
func (c *Client) ask(ctx context.Context, id avro.ID) (*avro.Schema, error) {
	s, err := c.get(ctx, id)
	if IsUnknown(err) || id.HasGUID() && isMissing(err) { // a registry without GUIDs has no such address
		return nil, &avro.UnknownError{ID: id, Why: "the registry at " + c.where() + " does not know it"}
	}
	if err != nil {
		return nil, err
	}
	if s.Type != sr.TypeAvro {
		return nil, &avro.UnknownError{ID: id, Why: "it is of type " + s.Type.String() + ", not Avro"}
	}
	referred, err := c.referred(ctx, id, s.References, map[string]bool{})
	if err != nil {
		return nil, err
	}
	parsed, err := avro.Parse(s.Schema, referred...)
	if err != nil {
		return nil, &avro.UnknownError{ID: id, Why: err.Error()}
	}
	return parsed, nil
}

func (c *Client) get(ctx context.Context, id avro.ID) (sr.Schema, error) {
	if !id.HasGUID() {
		return c.client.SchemaByID(ctx, int(id.Number))
	}
	s, err := c.client.SchemaByGUID(ctx, id.String())
	return s.Schema, err
}

// mostReferences bounds to how many schemas one may refer, by way of others too.
const mostReferences = 100

// referred returns the texts that a schema refers to, each once and after what it
// refers to itself. What was seen before is left out. That one of them is not to be
// had is final: to wait for it would hold up all that comes after the record.
func (c *Client) referred(ctx context.Context, id avro.ID, refs []sr.SchemaReference, seen map[string]bool) (texts []string, err error) {
	for _, ref := range refs {
		name := fmt.Sprintf("subject %s, version %d", ref.Subject, ref.Version)
		if seen[name] {
			continue
		}
		if len(seen) == mostReferences {
			return nil, &avro.UnknownError{ID: id, Why: fmt.Sprintf("it refers to more than %d others", mostReferences)}
		}
		seen[name] = true
		s, err := c.client.SchemaByVersion(ctx, ref.Subject, ref.Version)
		if IsUnknown(err) {
			return nil, &avro.UnknownError{ID: id, Why: "it refers to " + name + ", and the registry at " + c.where() + " does not know that"}
		}
		if err != nil {
			return nil, err
		}
		before, err := c.referred(ctx, id, s.References, seen)
		if err != nil {
			return nil, err
		}
		texts = append(append(texts, before...), s.Schema.Schema)
	}
	return texts, nil
}
