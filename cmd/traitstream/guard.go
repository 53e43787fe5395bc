package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"traitstream/config"
)

// guarded lets those through who may see or change users' data: who shows the
// token (RFC 6750) or, where none is configured, who is on this machine and calls
// it by a name of its own, which a page from elsewhere in a browser does not.
func guarded(token config.Secret, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case token == "" && (!isLoopback(r.RemoteAddr) || !isLoopback(r.Host)):
			http.Error(w, "set http.token to allow this from other machines", http.StatusForbidden)
		case token != "" && !shows(r, string(token)):
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "this needs http.token as a bearer token", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// shows compares sums, which are of one length, in constant time.
func shows(r *http.Request, token string) bool {
	scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(shown))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// isLoopback tells whether host or host:port is this machine's own.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
