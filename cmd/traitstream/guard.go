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
// token (RFC 6750) or, where none is configured, who is on this machine.
func guarded(token config.Secret, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case token == "" && !isLocal(r):
			http.Error(w, "set http.token to allow this from other machines, proxies and pages", http.StatusForbidden)
		case token != "" && !shows(r, string(token)):
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "this needs http.token as a bearer token", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isLocal tells whether a request comes from a program on this machine: not
// through a proxy on it, and not from a page of somebody else's in its browser, by
// whatever name that calls this machine.
func isLocal(r *http.Request) bool {
	if !isLoopback(r.RemoteAddr) || !isLoopback(r.Host) {
		return false
	}
	for _, proxied := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		if r.Header.Get(proxied) != "" {
			return false
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "http://"+r.Host
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
