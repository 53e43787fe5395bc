package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"go.uber.org/goleak"

	"traitstream/schemas/avro"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key   = `{"type":"record","name":"K","fields":[{"name":"id","type":"string"}]}`
	value = `{"type":"record","name":"V","fields":[{"name":"id","type":"string"}]}`
)

// world is a registry in this process, with what it was asked and what was logged.
type world struct {
	*testing.T
	*srfake.Registry
	mu    sync.Mutex
	asked []string
	log   bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, Registry: srfake.New()}
	t.Cleanup(w.Close)
	w.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked = append(w.asked, r.Method+" "+r.URL.Path)
		return false
	})
	return w
}

func (w *world) client(o Options) *Client {
	w.Helper()
	if o.URLs == nil {
		o.URLs = []string{w.URL()}
	}
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	o.Log = slog.New(slog.NewTextHandler(&w.log, nil))
	c, err := New(o)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// requests returns what was asked since the last call.
func (w *world) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.asked
	w.asked = nil
	return all
}

// answer makes the registry answer requests whose method and path begin so, n
// times.
func (w *world) answer(n int64, begin string, status int, body string) {
	var left atomic.Int64
	left.Store(n)
	w.Intercept(func(out http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.Method+" "+r.URL.Path, begin) || left.Add(-1) < 0 {
			return false
		}
		out.WriteHeader(status)
		_, _ = out.Write([]byte(body))
		return true
	})
}

func (w *world) register(c *Client) (int32, int32) {
	w.Helper()
	k, v, err := c.Register(w.Context(), "t", key, value)
	if err != nil {
		w.Fatal(err)
	}
	return k, v
}

// refused expects an error that says so.
func (w *world) refused(c *Client, want string) {
	w.Helper()
	_, _, err := c.Register(w.Context(), "t", key, value)
	if err == nil || !strings.Contains(err.Error(), want) {
		w.Errorf("%v, want %q", err, want)
	}
}

func (w *world) level(subject string) sr.CompatibilityLevel {
	w.Helper()
	c, err := sr.NewClient(sr.URLs(w.URL()), sr.HTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	if err != nil {
		w.Fatal(err)
	}
	return c.Compatibility(w.Context(), subject)[0].Level
}

// The first start registers both, and whoever comes later finds them there.
func TestRegister(t *testing.T) {
	w := newWorld(t)
	k, v := w.register(w.client(Options{}))
	if k == v || !w.SubjectExists("t-key") || !w.SubjectExists("t-value") {
		t.Errorf("ids %d and %d", k, v)
	}
	if level := w.level("t-value"); level != sr.CompatFullTransitive {
		t.Errorf("the values' subject is at %s", level)
	}
	w.requests()
	if k2, v2 := w.register(w.client(Options{})); k2 != k || v2 != v {
		t.Errorf("a restart comes to ids %d and %d, not %d and %d", k2, v2, k, v)
	}
	asked := w.requests()
	if i := slices.IndexFunc(asked, func(r string) bool { return strings.HasSuffix(r, "/versions") || strings.HasPrefix(r, "PUT") }); i >= 0 {
		t.Errorf("a restart writes: %s", asked[i])
	}
	if k2, v2, err := w.client(Options{}).Find(t.Context(), "t", key, value); k2 != k || v2 != v || err != nil {
		t.Errorf("%d and %d are found, %v", k2, v2, err)
	}
	if _, _, err := w.client(Options{}).Find(t.Context(), "u", key, value); !IsUnknown(err) || w.SubjectExists("u-key") {
		t.Errorf("what is not there: %v", err)
	}
}

// Who may only read can start once the schemas are there.
func TestRegisterReadOnly(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
	}{
		{http.StatusForbidden, `{"error_code":40301,"message":"User is denied operation Write"}`},
		{http.StatusUnprocessableEntity, `{"error_code":42205,"message":"Subject t-key is in read-only mode"}`},
	} {
		w := newWorld(t)
		w.answer(1<<40, "POST /subjects/t-key/versions", c.status, c.body)
		w.answer(1<<40, "PUT", c.status, c.body)
		w.refused(w.client(Options{}), "does not let schema_registry.user register it")
		w.SeedSchema("t-key", 1, 7, avroSchema(key))
		w.SeedSchema("t-value", 1, 9, avroSchema(value))
		if k, v := w.register(w.client(Options{})); k != 7 || v != 9 {
			t.Errorf("ids %d and %d", k, v)
		}
		if !strings.Contains(w.log.String(), "should be FULL_TRANSITIVE") {
			t.Errorf("the level is not told of: %s", &w.log)
		}
	}
}

func TestRegisterRefusals(t *testing.T) {
	t.Run("another value", func(t *testing.T) {
		w := newWorld(t)
		w.answer(1, "POST /subjects/t-value/versions", http.StatusConflict, `{"error_code":409,"message":"READER_FIELD_MISSING_DEFAULT_VALUE"}`)
		w.refused(w.client(Options{}), "subject t-value holds a schema with which this release's is not compatible")
	})
	t.Run("another key", func(t *testing.T) {
		w := newWorld(t)
		w.SeedSchema("t-key", 1, 1, avroSchema(`"string"`))
		w.refused(w.client(Options{}), "subject t-key has versions [1], none of which is the key schema of this program")
		if w.SubjectExists("t-value") {
			t.Error("the value was registered all the same")
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		w := newWorld(t)
		w.answer(1, "POST", http.StatusUnauthorized, `{"error_code":401,"message":"Unauthorized"}`)
		w.refused(w.client(Options{User: "app", Password: "hunter2"}), "check schema_registry.user and password")
	})
	t.Run("no registry", func(t *testing.T) {
		w := newWorld(t)
		w.refused(w.client(Options{URLs: []string{w.URL() + "/elsewhere"}}), "check the path of schema_registry.url")
	})
}

// A registry that is away is waited for, and its silence is told.
func TestRegisterWaits(t *testing.T) {
	w := newWorld(t)
	w.answer(2, "POST", http.StatusServiceUnavailable, "")
	w.register(w.client(Options{Timeout: 10 * time.Second}))
	if n := strings.Count(w.log.String(), "the schema registry does not answer"); n != 2 {
		t.Errorf("told %d times: %s", n, &w.log)
	}
	gone := newWorld(t)
	gone.Close()
	gone.refused(gone.client(Options{Timeout: 300 * time.Millisecond}), "no answer within 300ms (schema_registry.timeout)")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := gone.client(Options{Timeout: time.Hour}).Register(ctx, "t", key, value); err == nil {
		t.Error("a stop is not heard")
	}
}

// The next URL is asked where one does not answer.
func TestSeveralURLs(t *testing.T) {
	gone, w := newWorld(t), newWorld(t)
	gone.Close()
	w.register(w.client(Options{URLs: []string{gone.URL(), w.URL()}}))
}

func TestCredentials(t *testing.T) {
	for want, o := range map[string]Options{
		"Basic YXBwOmh1bnRlcjI=": {User: "app", Password: "hunter2"},
		"Bearer hunter2":         {Token: "hunter2"},
		"":                       {},
	} {
		w := newWorld(t)
		w.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			if got := r.Header.Get("Authorization"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			return false
		})
		w.register(w.client(o))
	}
}

func TestTLS(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewTLSServer(w.Handler())
	defer server.Close()
	authorities := x509.NewCertPool()
	authorities.AddCert(server.Certificate())
	w.register(w.client(Options{URLs: []string{server.URL}, TLS: &tls.Config{RootCAs: authorities}}))
	w.refused(w.client(Options{URLs: []string{server.URL}}), "certificate")
}

// A schema is asked for once, and what is not there not for each record.
func TestSchema(t *testing.T) {
	w := newWorld(t)
	w.SeedSchema("a", 1, 5, avroSchema(`"string"`))
	w.SeedSchema("b", 1, 6, sr.Schema{Schema: `{"type":"string"}`, Type: sr.TypeJSON})
	w.SeedSchema("flag", 1, 7, avroSchema(`{"type":"record","name":"Flag","fields":[{"name":"n","type":"string"}]}`))
	w.SeedSchema("c", 1, 8, sr.Schema{
		Schema: `{"type":"record","name":"I","fields":[{"name":"f","type":"Flag"}]}`, Type: sr.TypeAvro,
		References: []sr.SchemaReference{{Name: "Flag", Subject: "flag", Version: 1}},
	})
	w.SeedSchema("d", 1, 9, avroSchema(`{"type":"nothing"}`))
	c := w.client(Options{})
	for number, want := range map[int32]string{5: "", 8: "", 6: "not Avro", 9: "reading an Avro schema", 10: "does not know it"} {
		for range 3 {
			s, err := c.Schema(t.Context(), avro.ID{Number: number})
			unknown := (*avro.UnknownError)(nil)
			if want == "" && (s == nil || err != nil) || want != "" && (!errors.As(err, &unknown) || !strings.Contains(err.Error(), want)) {
				t.Errorf("schema %d: %v, want %q", number, err, want)
			}
		}
	}
	asked := w.requests()
	slices.Sort(asked)
	if once := slices.Compact(slices.Clone(asked)); len(once) != len(asked) {
		t.Errorf("asked again: %v", asked)
	}
	w.Close()
	if _, err := c.Schema(t.Context(), avro.ID{Number: 5}); err != nil {
		t.Errorf("what is known needs a registry: %v", err)
	}
	if _, err := c.Schema(t.Context(), avro.ID{Number: 11}); !errors.Is(err, avro.ErrAway) {
		t.Errorf("%v while the registry is away", err)
	}
}

func TestSchemaByGUID(t *testing.T) {
	w := newWorld(t)
	w.SeedSchema("a", 1, 5, avroSchema(`"string"`))
	known, ok := w.GetSchema("a", 1)
	if !ok || known.GUID == "" {
		t.Skip("this registry has no GUIDs")
	}
	id, _, ok := avro.Split(nil, append([]byte{1}, bytesOf(t, known.GUID)...))
	if !ok || id.String() != known.GUID {
		t.Fatalf("%s is not %s", id, known.GUID)
	}
	if _, err := w.client(Options{}).Schema(t.Context(), id); err != nil {
		t.Error(err)
	}
	id.GUID[0]++
	unknown := (*avro.UnknownError)(nil)
	if _, err := w.client(Options{}).Schema(t.Context(), id); !errors.As(err, &unknown) {
		t.Errorf("%v of a GUID that is not there", err)
	}
	w.answer(1, "GET /schemas/guids", http.StatusNotFound, "")
	if _, err := w.client(Options{}).Schema(t.Context(), id); !errors.As(err, &unknown) {
		t.Errorf("%v of a registry without GUIDs", err)
	}
}

// What a schema refers to is asked for once, however often it is referred to; and
// where it is not to be had, in a circle or too much, that is known for good.
func TestSchemaReferences(t *testing.T) {
	w := newWorld(t)
	record := func(name string, types ...string) string {
		var fields []string
		for i, one := range types {
			fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":"%s"}`, i, one))
		}
		return fmt.Sprintf(`{"type":"record","name":"%s","fields":[%s]}`, name, strings.Join(fields, ","))
	}
	seed := func(subject string, id int, text string, refers ...string) {
		s := sr.Schema{Schema: text, Type: sr.TypeAvro}
		for _, to := range refers {
			s.References = append(s.References, sr.SchemaReference{Name: to, Subject: to, Version: 1})
		}
		w.SeedSchema(subject, 1, id, s)
	}
	seed("A0", 100, record("A0", "string"))
	for i := 1; i <= 20; i++ { // each refers to the one before twice
		before := fmt.Sprint("A", i-1)
		seed(fmt.Sprint("B", i-1), 200+i, record(fmt.Sprint("B", i-1), before), before)
		seed(fmt.Sprint("A", i), 100+i, record(fmt.Sprint("A", i), before, fmt.Sprint("B", i-1)), before, fmt.Sprint("B", i-1))
	}
	seed("gone", 299, record("Gone", "string"))
	seed("lost", 300, record("Lost", "Gone"), "gone")
	seed("two", 302, record("Two", "string"))
	seed("one", 301, record("One", "Two"), "two")
	var many []string
	for i := range mostReferences + 1 {
		many = append(many, fmt.Sprint("M", i))
		seed(many[i], 400+i, record(many[i], "string"))
	}
	seed("many", 303, record("Many", many...), many...)
	c := w.client(Options{})
	if _, err := c.Schema(t.Context(), avro.ID{Number: 120}); err != nil {
		t.Error(err)
	}
	if n := len(w.requests()); n != 41 {
		t.Errorf("%d requests for 41 schemas", n)
	}
	w.answer(1, "GET /subjects/gone/versions/1", http.StatusNotFound, `{"error_code":40402,"message":"Version 1 not found."}`)
	w.answer(1, "GET /subjects/two/versions/1", http.StatusOK,
		`{"subject":"two","version":1,"id":302,"schema":"{\"type\":\"record\",\"name\":\"Two\",\"fields\":[{\"name\":\"f\",\"type\":\"One\"}]}",`+
			`"references":[{"name":"One","subject":"one","version":1}]}`)
	for number, want := range map[int32]string{300: "it refers to subject gone, version 1, and the registry", 301: "reading an Avro schema", 303: "more than 100 others"} {
		_, err := c.Schema(t.Context(), avro.ID{Number: number})
		if unknown := (*avro.UnknownError)(nil); !errors.As(err, &unknown) || !strings.Contains(err.Error(), want) {
			t.Errorf("schema %d: %v, want %q", number, err, want)
		}
	}
}

// Answers that are none do not make a schema an unknown one.
func TestSchemaAway(t *testing.T) {
	for status, body := range map[int]string{
		http.StatusNotFound:            "no such page",
		http.StatusUnauthorized:        `{"error_code":401}`,
		http.StatusForbidden:           `{"error_code":403}`,
		http.StatusInternalServerError: `{"error_code":50001}`,
		http.StatusTooManyRequests:     "",
		http.StatusOK:                  "<html>",
	} {
		w := newWorld(t)
		w.SeedSchema("a", 1, 5, avroSchema(`"string"`))
		w.answer(1, "GET", status, body)
		c := w.client(Options{})
		if _, err := c.Schema(t.Context(), avro.ID{Number: 5}); !errors.Is(err, avro.ErrAway) {
			t.Errorf("status %d: %v", status, err)
		}
		if _, err := c.Schema(t.Context(), avro.ID{Number: 5}); err != nil {
			t.Errorf("after status %d: %v", status, err)
		}
	}
}

func bytesOf(t *testing.T, guid string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(guid, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
