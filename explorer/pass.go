package explorer

import (
	"context"
	"io"
	"net/http"
)

// headerPassed marks a request that another process has passed on, which is not
// passed on again.
const headerPassed = "Traitstream-Passed"

// mostAnswer bounds an answer, in bytes: some traits of which one is large.
const mostAnswer = 32 << 20

// pass asks the process that has the task, and hands over what it says.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, task int32) {
	if r.Header.Get(headerPassed) != "" {
		unavailable(w, taskText(task)+" is moving: "+h.Origin.Instance+", which was thought to have it, does not")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), passPatience)
	defer cancel()
	owner, err := h.Owner(ctx, task)
	if err != nil {
		unavailable(w, taskText(task)+": "+err.Error())
		return
	}
	if owner.Instance == h.Origin.Instance {
		unavailable(w, taskText(task)+" is coming to "+owner.Instance)
		return
	}
	if err := forward(ctx, w, r, owner.Address); err != nil {
		unavailable(w, taskText(task)+" is at "+owner.Instance+", which does not answer at "+owner.Address)
	}
}

// forward sends a request on with its token. An error says that there is no answer.
func forward(ctx context.Context, w http.ResponseWriter, r *http.Request, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+r.URL.RequestURI(), http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set(headerPassed, "1")
	if token := r.Header.Get("Authorization"); token != "" {
		req.Header.Set("Authorization", token)
	}
	client := newClient()
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	for _, name := range []string{"Content-Type", "Retry-After"} {
		if value := resp.Header.Get(name); value != "" {
			w.Header().Set(name, value)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(resp.Body, mostAnswer)) // one of them has gone
	return nil
}

// newClient returns a client that goes where it is sent and nowhere else: through
// no proxy, and after no redirect, since it has a token.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
