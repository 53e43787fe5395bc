package explorer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/processor"
	"traitstream/state"
)

// Bounds of what may be asked for.
const (
	MaxUser  = 1 << 10 // bytes, as of impressions
	MaxTrait = 4 << 10 // bytes; escaped it still fits into a request
	// MaxTraits is how many traits an answer holds.
	MaxTraits = 1000
)

// patience is how long the process that has the task may take to answer; and
// passPatience how long one that is asked in its place waits for it.
const (
	patience     = 5 * time.Second
	passPatience = 8 * time.Second
)

// Member is a process of the group, and where it answers, host:port.
type Member struct{ Instance, Address string }

// Options are what a Handler answers from.
type Options struct {
	Teller
	Tasks int32
	// Ask is the process's own, with the errors of processor.Ask.
	Ask func(context.Context, state.Lookup) (*state.Known, error)
	// Owner finds out who has a task. The token is sent there, so it must be a member of
	// the group. Its error is for people.
	Owner func(ctx context.Context, task int32) (Member, error)
}

// Handler answers
//
//	GET /v1/users/{identity}/{id}/traits          a [User], with ?behind=NAME what follows
//	GET /v1/users/{identity}/{id}/traits/{trait}  a [Trait]
//
// with names percent-encoded, and status 404 where nothing is known. Whatever else
// goes wrong is {"error": a sentence}: 400 for what can't be, 503 with Retry-After
// where the task moves, is being restored or its owner can't be reached. It shows
// users' data, so it is to be guarded.
func Handler(o Options) http.Handler { return &handler{o} }

type handler struct{ Options }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "this can only be read")
		return
	}
	parts, ok := split(r.URL)
	if !ok {
		refuse(w, http.StatusNotFound, "there is /v1/users/{identity}/{id}/traits, and /{trait} behind it")
		return
	}
	u, err := ParseUser(parts[0], parts[1])
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	l := state.Lookup{User: u, Task: kafka.Partition([]byte(u.ID), h.Tasks), Most: MaxTraits}
	if len(parts) == 3 {
		h.user(w, r, l)
	} else {
		h.trait(w, r, l, parts[3])
	}
}

// split returns the parts of a path behind /v1/users/. Patterns of http.ServeMux
// take a part that is an escaped slash alone for the end of the path.
func split(u *url.URL) (parts []string, ok bool) {
	path, ok := strings.CutPrefix(u.EscapedPath(), "/v1/users/")
	if !ok {
		return nil, false
	}
	parts = strings.Split(path, "/")
	for i, part := range parts {
		var err error
		if parts[i], err = url.PathUnescape(part); err != nil {
			return nil, false
		}
	}
	return parts, (len(parts) == 3 || len(parts) == 4 && parts[3] != "") && parts[2] == "traits"
}

func (h *handler) user(w http.ResponseWriter, r *http.Request, l state.Lookup) {
	if q := r.URL.Query(); q.Has("behind") {
		l.Behind = []byte(q.Get("behind"))
	}
	h.answer(w, r, l, func(t Teller, k *state.Known) (any, bool) {
		u := t.User(l.User, k)
		return u, u.Known()
	})
}

func (h *handler) trait(w http.ResponseWriter, r *http.Request, l state.Lookup, name string) {
	if len(name) > MaxTrait || !utf8.ValidString(name) {
		refuse(w, http.StatusBadRequest, "a trait's name is UTF-8 and has at most "+strconv.Itoa(MaxTrait)+" bytes here")
		return
	}
	l.Trait = []byte(name)
	h.answer(w, r, l, func(t Teller, k *state.Known) (any, bool) {
		one := t.Trait(l.User, name, k)
		return one, one.State != Unknown
	})
}

// ParseUser reads whom somebody asks for. An error says what may stand there.
func ParseUser(identity, id string) (state.User, error) {
	for _, i := range []impression.Identity{impression.User, impression.Anonymous} {
		if i.String() == identity {
			if id == "" || len(id) > MaxUser || !utf8.ValidString(id) {
				return state.User{}, errors.New("a user is UTF-8 and has 1 to " + strconv.Itoa(MaxUser) + " bytes")
			}
			return state.User{Identity: i, ID: id}, nil
		}
	}
	return state.User{}, errors.New("the identity is user or anonymous")
}

// answer tells what the process knows, or passes the request on.
func (h *handler) answer(w http.ResponseWriter, r *http.Request, l state.Lookup, tell func(Teller, *state.Known) (any, bool)) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	known, err := h.Ask(ctx, l)
	switch {
	case errors.Is(err, processor.ErrElsewhere):
		h.pass(w, r, l.Task)
	case err != nil:
		unavailable(w, taskText(l.Task)+" has no answer now: "+err.Error())
	default:
		t := h.Teller
		t.Origin.Task = l.Task
		body, ok := tell(t, known)
		status := http.StatusOK
		if !ok {
			status = http.StatusNotFound
		}
		write(w, status, body)
	}
}

func taskText(task int32) string { return "task " + strconv.Itoa(int(task)) }

// retryAfter is when to ask again, in seconds.
const retryAfter = "1"

func unavailable(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", retryAfter)
	refuse(w, http.StatusServiceUnavailable, why)
}

// refusal is an answer that tells nothing of a user.
type refusal struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, status int, why string) { write(w, status, refusal{why}) }

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // the client has gone
}
