package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"traitstream/schemas"
)

// realRegistry is a schema registry that the script of TRAITSTREAM_TEST_REGISTRY
// starts. It keeps nothing over a stop.
type realRegistry struct {
	t           *testing.T
	script, url string
	args        []string
}

func newRealRegistry(t *testing.T, script string) *realRegistry {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	r := &realRegistry{t: t, script: script, args: []string{"--port", port, "--dir", t.TempDir() + "/registry"}}
	t.Cleanup(func() { r.do("clean") })
	r.start()
	return r
}

func (r *realRegistry) start() {
	r.t.Helper()
	lines := strings.Fields(r.do("start"))
	r.url = lines[len(lines)-1]
}

func (r *realRegistry) do(verb string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", append([]string{r.script, verb}, r.args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("%s %s: %v", r.script, verb, err)
	}
	return string(out)
}

func (r *realRegistry) client() *sr.Client {
	r.t.Helper()
	cl, err := sr.NewClient(sr.URLs(r.url), sr.HTTPClient(&http.Client{
		Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
	}))
	if err != nil {
		r.t.Fatal(err)
	}
	return cl
}

func (r *realRegistry) add(subject, text string) int {
	r.t.Helper()
	id, err := r.client().RegisterSchema(r.t.Context(), subject, sr.Schema{Schema: text, Type: sr.TypeAvro}, -1, -1)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// versions returns those of a subject, none if there is no such subject.
func (r *realRegistry) versions(subject string) []int {
	r.t.Helper()
	versions, err := r.client().SubjectVersions(r.t.Context(), subject)
	var answer *sr.ResponseError
	if err != nil && (!errors.As(err, &answer) || answer.StatusCode != http.StatusNotFound) {
		r.t.Fatal(err)
	}
	return versions
}

// proxy is a way to the registry with a guard before it.
func (r *realRegistry) proxy(guard func(*http.Request) int) string {
	r.t.Helper()
	target, err := url.Parse(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	through := &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host}) },
		Transport: &http.Transport{DisableKeepAlives: true},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if status := guard(req); status != 0 {
			http.Error(w, http.StatusText(status), status)
			return
		}
		through.ServeHTTP(w, req)
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	r.t.Cleanup(func() {
		if err := errors.Join(server.Close(), ignoreClosed(<-done)); err != nil {
			r.t.Error(err)
		}
	})
	return "http://" + l.Addr().String() + target.Path
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// avroApp is a configuration of an app of its own on a broker.
func (w world) avroApp(app, registry, more string) string {
	w.Helper()
	return write(w.T, w.dir, app+".yaml", fmt.Sprintf(
		"app: %[1]s\nkafka: {brokers: [%[2]q]}\nhttp: {listen: \"\"}\nstate: {dir: %[1]s-data}\noutput: {format: avro, partitions: 2}\n"+
			"schema_registry: {url: %[3]q, timeout: 3s%[4]s}\n", app, w.brokers[0], registry, more))
}

// Against a real registry: what each start finds there, and what comes of it.
func TestRealRegistry(t *testing.T) {
	script := os.Getenv("TRAITSTREAM_TEST_REGISTRY")
	if script == "" {
		t.Skip("set TRAITSTREAM_TEST_REGISTRY=/path/to/registry.sh to test against a real schema registry")
	}
	reg := newRealRegistry(t, script)
	w := newWorld(t, "")
	w.create("impressions", 2)
	file := write(t, w.dir, "in.jsonl", segmentEvent("u1", "f", "on", 1)+segmentEvent("u2", "f", "off", 1)+segmentEvent("u1", "f", "off", 2))
	succeed(t, "import", "-c", w.config, file)
	refused := func(t *testing.T, config, want string) {
		t.Helper()
		status, _, stderr := program(t, "", "run", "-c", config, "--until-caught-up")
		if status != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("status %d, want %q in: %s", status, want, stderr)
		}
	}

	t.Run("register, restart, second instance", func(t *testing.T) {
		config := w.avroApp("first", reg.url, "")
		succeed(t, "run", "-c", config, "--until-caught-up")
		level := reg.client().Compatibility(t.Context(), "first-traits-value")[0]
		if level.Err != nil || level.Level != sr.CompatFullTransitive {
			t.Errorf("the values' subject is at %s, %v", level.Level, level.Err)
		}
		succeed(t, "run", "-c", config, "--until-caught-up")
		second := write(t, w.dir, "second.yaml", strings.Replace(readFile(t, config), "first-data", "second-data", 1))
		a, b := start(t, "run", "-c", config), start(t, "run", "-c", second)
		for _, r := range []*running{a, b} {
			r.until("it runs", func() bool { return strings.Contains(r.stderr.String(), `"msg":"running"`) })
		}
		if codes := a.stop() + b.stop(); codes != exitDone {
			t.Errorf("%s\n%s", a.stderr, b.stderr)
		}
		if k, v := reg.versions("first-traits-key"), reg.versions("first-traits-value"); len(k) != 1 || len(v) != 1 {
			t.Errorf("key has versions %v, value %v", k, v)
		}
		if out := succeed(t, "tap", "-c", config, "--until-end", "--format", "json"); strings.Count(out, `"value_type":"string"`) != 3 {
			t.Errorf("tap shows %s", out)
		}
		succeed(t, "verify", "-c", config)
	})

	t.Run("password", func(t *testing.T) {
		behind := reg.proxy(func(r *http.Request) int {
			if user, password, _ := r.BasicAuth(); user != "app" || password != "right" {
				return http.StatusUnauthorized
			}
			return 0
		})
		refused(t, w.avroApp("locked", behind, ", user: app, password: wrong"), "check schema_registry.user and password")
		if v := reg.versions("locked-traits-key"); len(v) != 0 {
			t.Errorf("the key was registered all the same: %v", v)
		}
		succeed(t, "run", "-c", w.avroApp("locked", behind, ", user: app, password: right"), "--until-caught-up")
	})

	t.Run("read only", func(t *testing.T) {
		behind := reg.proxy(func(r *http.Request) int {
			if strings.HasSuffix(r.URL.Path, "/versions") && r.Method == http.MethodPost || r.Method == http.MethodPut {
				return http.StatusForbidden
			}
			return 0
		})
		config := w.avroApp("reader", behind, "")
		refused(t, config, "does not let schema_registry.user register it")
		reg.add("reader-traits-key", schemas.KeyAvro)
		reg.add("reader-traits-value", schemas.ValueAvro)
		succeed(t, "run", "-c", config, "--until-caught-up")
	})

	t.Run("other schemas", func(t *testing.T) {
		reg.add("odd-traits-key", `"string"`)
		refused(t, w.avroApp("odd", reg.url, ""), "none of which is the key schema of this program")
		reg.add("strange-traits-value", `{"type":"record","name":"TraitChange","namespace":"traitstream","fields":[{"name":"identity","type":"int"}]}`)
		refused(t, w.avroApp("strange", reg.url, ""), "holds a schema with which this release's is not compatible")
	})

	t.Run("stopped and started", func(t *testing.T) {
		config := w.avroApp("steady", reg.url, "")
		r := start(t, "run", "-c", config)
		changes := func(n int) func() bool { return func() bool { return w.count("steady-traits") == n } }
		r.until("changes are out", func() bool { return strings.Contains(r.stderr.String(), `"msg":"running"`) && changes(3)() })
		reg.do("stop")
		succeed(t, "import", "-c", w.config, write(t, w.dir, "more.jsonl", segmentEvent("u1", "f", "v3", 3)))
		r.until("a change is out without a registry", changes(4))
		if status := r.stop(); status != exitDone {
			t.Errorf("status %d: %s", status, r.stderr)
		}
		refused(t, config, "no answer within 3s (schema_registry.timeout)")
		reg.start()
		reg.add("somebody-else", `"int"`)
		refused(t, config, "it holds keys of schema") // it has come back empty, and gives other ids
	})
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
