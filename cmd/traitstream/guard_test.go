package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"traitstream/config"
)

func TestGuarded(t *testing.T) {
	const token = "0123456789abcdef"
	for _, c := range []struct {
		name          string
		token         config.Secret
		from, host    string
		authorization string
		want          int
	}{
		{"the token", token, "192.0.2.1:5", "app:8080", "Bearer " + token, http.StatusOK},
		{"the scheme in another case", token, "192.0.2.1:5", "app:8080", "bearer " + token, http.StatusOK},
		{"no token", token, "127.0.0.1:5", "127.0.0.1:8080", "", http.StatusUnauthorized},
		{"a part of it", token, "127.0.0.1:5", "127.0.0.1:8080", "Bearer " + token[:15], http.StatusUnauthorized},
		{"more than it", token, "127.0.0.1:5", "127.0.0.1:8080", "Bearer " + token + "0", http.StatusUnauthorized},
		{"another scheme", token, "127.0.0.1:5", "127.0.0.1:8080", "Basic " + token, http.StatusUnauthorized},
		{"none is set, from here", "", "127.0.0.1:5", "localhost:8080", "", http.StatusOK},
		{"none is set, from here by IPv6", "", "[::1]:5", "[::1]:8080", "", http.StatusOK},
		{"none is set, from elsewhere", "", "192.0.2.1:5", "127.0.0.1:8080", "", http.StatusForbidden},
		{"none is set, an empty one is shown", "", "192.0.2.1:5", "127.0.0.1:8080", "Bearer ", http.StatusForbidden},
		{"none is set, a name that was led here", "", "127.0.0.1:5", "evil.example:8080", "", http.StatusForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			served := false
			h := guarded(c.token, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true }))
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/users", nil)
			r.RemoteAddr, r.Host = c.from, c.host
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want || served != (c.want == http.StatusOK) {
				t.Errorf("status %d, served: %v, want %d", w.Code, served, c.want)
			}
		})
	}
}
