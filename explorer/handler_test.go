package explorer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/state"
)

// answer returns the status and the body for a path.
func answer(t testing.TB, o Options, method, path string, headers ...string) (int, string, http.Header) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	Handler(o).ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

// Whom and what is asked for reaches the state as it was written, whatever bytes
// it has, and the answer comes back.
func TestAnyNames(t *testing.T) {
	var asked state.Lookup
	address := serve(t, options(t, func(_ context.Context, l state.Lookup) (*state.Known, error) {
		asked = l
		k := known()
		k.Traits[0].Name = []byte("f")
		if l.Trait != nil {
			k.Traits[0].Name = l.Trait
		}
		return k, nil
	}))
	var c Client
	text := rapid.OneOf(rapid.StringN(1, -1, 300), rapid.SampledFrom([]string{".", "..", "/", "a/../b", "%2F", "%", "?x=1#y", "a b+c", "\x00", "traits", "é\u2028"}))
	rapid.Check(t, func(t *rapid.T) {
		u := state.User{
			Identity: rapid.SampledFrom([]impression.Identity{impression.User, impression.Anonymous}).Draw(t, "identity"), ID: text.Draw(t, "user"),
		}
		if name := text.Draw(t, "trait"); rapid.Bool().Draw(t, "one") {
			one, err := c.Trait(context.Background(), address, u, name)
			if err != nil || one.ID != u.ID || one.Trait != name || asked.User != u || string(asked.Trait) != name {
				t.Fatalf("%+v, %v; asked for %+v", one, err, asked)
			}
		} else {
			all, err := c.User(context.Background(), address, u, &name)
			if err != nil || all.ID != u.ID || len(all.Traits) != 1 || asked.User != u || string(asked.Behind) != name || asked.Trait != nil {
				t.Fatalf("%+v, %v; asked for %+v", all, err, asked)
			}
		}
		if asked.Task != kafka.Partition([]byte(u.ID), 3) || asked.Most != MaxTraits {
			t.Fatalf("%+v", asked)
		}
	})
}

// What can't be is refused before anybody is asked for it.
func TestRefused(t *testing.T) {
	o := options(t, func(context.Context, state.Lookup) (*state.Known, error) {
		return nil, errors.New("nobody should have been asked")
	})
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/v1/users/user/" + strings.Repeat("a", MaxUser+1) + "/traits", 400},
		{"GET", "/v1/users/user/" + strings.Repeat("%41", MaxUser+1) + "/traits", 400},
		{"GET", "/v1/users/user/%ff/traits", 400},
		{"GET", "/v1/users/user/ann/traits/%ff", 400},
		{"GET", "/v1/users/user/ann/traits/" + strings.Repeat("a", MaxTrait+1), 400},
		{"GET", "/v1/users/somebody/ann/traits", 400},
		{"GET", "/v1/users/USER/ann/traits", 400},
		{"GET", "/v1/users/user/ann", 404},
		{"GET", "/v1/users/user/ann/traits/f/g", 404},
		{"POST", "/v1/users/user/ann/traits", 405},
		{"DELETE", "/v1/users/user/ann/traits/f", 405},
	} {
		if got, body, _ := answer(t, o, c.method, c.path); got != c.want || strings.Contains(body, "nobody") {
			t.Errorf("%s %.60s: %d %s, want %d", c.method, c.path, got, body, c.want)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		what, path string
		known      *state.Known
		err        error
		status     int
		says       string
	}{
		{"a user", "/v1/users/user/ann/traits", known(), nil, 200, `"traits":[{"identity":"user","id":"ann","trait":"f","state":"set","value":"on",`},
		{"a trait", "/v1/users/user/ann/traits/f", known(), nil, 200, `{"identity":"user","id":"ann","trait":"f","state":"set","value":"on",`},
		{"nobody", "/v1/users/user/ann/traits", &state.Known{}, nil, 404, `"traits":[],"next":null,"origin":{"kind":"owner","task":2,`},
		{"no trait", "/v1/users/user/ann/traits/f", &state.Known{}, nil, 404, `"state":"unknown"`},
		{"a forgotten user", "/v1/users/user/ann/traits", marked(&state.Known{}), nil, 200, `"forgotten":{"at":`},
		{"a forgotten trait", "/v1/users/user/ann/traits/f", marked(&state.Known{}), nil, 200, `"state":"forgotten"`},
		{"a restore", "/v1/users/user/ann/traits", nil, fmt.Errorf("task 1: %w", processor.ErrRestoring), 503, `{"error":"task 2 has no answer now: task 1: the task's state is being restored"}`},
		{"a slow loop", "/v1/users/user/ann/traits", nil, processor.ErrBusy, 503, "does not come to answer"},
	} {
		o := options(t, func(context.Context, state.Lookup) (*state.Known, error) { return c.known, c.err })
		status, body, header := answer(t, o, "GET", c.path)
		if status != c.status || !strings.Contains(body, c.says) || header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s %v", c.what, status, body, header)
		}
		if (header.Get("Retry-After") != "") != (status == 503) {
			t.Errorf("%s: Retry-After is %q", c.what, header.Get("Retry-After"))
		}
	}
}

func elsewhere(context.Context, state.Lookup) (*state.Known, error) {
	return nil, processor.ErrElsewhere
}

// A process that does not have the task asks the one that has, once, with the
// token that it was shown.
func TestPassing(t *testing.T) {
	var got *http.Request
	owner := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"state":"unknown"}`)
	}))
	o := options(t, elsewhere)
	o.Owner = func(_ context.Context, task int32) (Member, error) {
		if task != kafka.Partition([]byte("a/b"), 3) {
			t.Errorf("the owner of task %d is looked for", task)
		}
		return Member{"there", owner}, nil
	}
	const path = "/v1/users/user/a%2Fb/traits?behind=x%20y"
	status, body, header := answer(t, o, "GET", path, "Authorization", "Bearer secret", "Cookie", "a=b", "X-Forwarded-For", "192.0.2.1")
	if status != 404 || body != `{"state":"unknown"}` || header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", status, body, header)
	}
	if got.URL.RequestURI() != path || got.Header.Get("Authorization") != "Bearer secret" || got.Header.Get("Cookie") != "" || got.Header.Get(headerPassed) == "" {
		t.Errorf("the owner was asked for %s with %v", got.URL.RequestURI(), got.Header)
	}
}

func TestNotPassed(t *testing.T) {
	strange := serveHandler(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the token went to %s", r.URL)
	}))
	leading := serveHandler(t, http.RedirectHandler("http://"+strange+"/", http.StatusTemporaryRedirect))
	for _, c := range []struct {
		what    string
		owner   Member
		err     error
		headers []string
		status  int
		says    string
	}{
		{"one that was passed", Member{}, errors.New("nobody is to be found"), []string{headerPassed, "1"}, 503, "task 2 is moving: here, which was thought to have it, does not"},
		{"no owner", Member{}, errors.New("the group is rebalancing"), nil, 503, "task 2: the group is rebalancing"},
		{"itself", Member{"here", "127.0.0.1:1"}, nil, nil, 503, "task 2 is coming to here"},
		{"one that has gone", Member{"there", "127.0.0.1:1"}, nil, nil, 503, "task 2 is at there, which does not answer at 127.0.0.1:1"},
		{"one that leads on", Member{"there", leading}, nil, nil, 307, ""},
	} {
		o := options(t, elsewhere)
		o.Owner = func(context.Context, int32) (Member, error) { return c.owner, c.err }
		status, body, _ := answer(t, o, "GET", "/v1/users/user/ann/traits", append(slices.Clone(c.headers), "Authorization", "Bearer secret")...)
		if status != c.status || !strings.Contains(body, c.says) || strings.Contains(body, "ann") {
			t.Errorf("%s: %d %s", c.what, status, body)
		}
	}
}

// What tells nothing is told by who it is from, without the user, who might be
// logged with it.
func TestClientIsRefused(t *testing.T) {
	for _, c := range []struct {
		status    int
		kind      string
		body      string
		says      string
		temporary bool
	}{
		{503, "application/json", `{"error":"task 1 moves"}`, "task 1 moves", true},
		{400, "application/json", `{"error":"no user"}`, "no user", false},
		{404, "text/plain", "404 page not found", "older release", false},
		{401, "text/plain", "this needs http.token as a bearer token\n", "this needs http.token as a bearer token", false},
		{307, "text/plain", "", "", false},
	} {
		address := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.kind)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		_, err := new(Client).User(t.Context(), address, ann, nil)
		var no *RefusedError
		if !errors.As(err, &no) || no.Temporary() != c.temporary || no.Status != c.status || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
	}
	address := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"traits":`)
	}))
	for _, at := range []string{address, "127.0.0.1:1", "nowhere"} {
		if _, err := new(Client).Trait(t.Context(), at, ann, "f"); err == nil || strings.Contains(err.Error(), "ann") {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// No request makes the handler fail in a way of its own.
func FuzzHandler(f *testing.F) {
	for _, path := range []string{"/v1/users/user/ann/traits", "/v1/users/user/%00/traits/%2E%2E?behind=%", "/v1/users/anonymous/a%2Fb/traits/x", "//v1/users", "/v1/users/user/%zz/traits"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://here"+path, http.NoBody)
		if err != nil {
			return
		}
		o := options(t, func(_ context.Context, l state.Lookup) (*state.Known, error) {
			if l.User.ID == "" || len(l.User.ID) > MaxUser || len(l.Trait) > MaxTrait || l.Task < 0 || l.Task > 2 {
				t.Errorf("asked for %+v", l)
			}
			return &state.Known{}, nil
		})
		w := httptest.NewRecorder()
		Handler(o).ServeHTTP(w, r)
		if !slices.Contains([]int{301, 307, 308, 400, 404}, w.Code) {
			t.Errorf("status %d", w.Code)
		}
	})
}
