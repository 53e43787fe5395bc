package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"traitstream/processor/group"
)

// answer is a process that gives an answer at /status.
func answer(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", handle)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// says answers with a text.
func says(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// Every process that can be reached is asked once; an answer that is not the
// process's own, or none, counts for nothing.
func TestAskProcesses(t *testing.T) {
	asked := make(chan struct{}, 2)
	well := answer(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		says(200, `{"instance":"well","ready":true,"tasks":[{"task":3,"state":"restoring","restored":1,"total":2,"seconds_left":4.5}],"later":1}`)(w, r)
	})
	members := []member{{Member: group.Member{Process: "well", HTTP: well}}, {Member: group.Member{Process: "well", Worker: 1, HTTP: well}}}
	for process, address := range map[string]string{
		"mistaken": answer(t, says(200, `{"instance":"another","tasks":[]}`)),
		"broken":   answer(t, says(200, `{"instance":"broken"`)),
		"failing":  answer(t, says(500, `{"instance":"failing"}`)),
		"away":     freeAddress(t), "nowhere": "no port", "untold": "",
	} {
		members = append(members, member{Member: group.Member{Process: process, HTTP: address}})
	}
	for i := range members {
		members[i].host = "127.0.0.1"
	}
	answers := askProcesses(t.Context(), members)
	tasks := answers["well"].Tasks
	if len(answers) != 1 || len(tasks) != 1 || tasks[0].Task != 3 || tasks[0].Total != 2 || *tasks[0].SecondsLeft != 4.5 {
		t.Errorf("the answers are %+v", answers)
	}
	if len(asked) != 1 {
		t.Error("a process was asked for each of its workers")
	}
}

// One that takes the question and says nothing keeps nobody waiting for ever.
func TestAskProcessThatHangs(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	silent := answer(t, func(_ http.ResponseWriter, r *http.Request) {
		stop()
		<-r.Context().Done()
	})
	m := member{Member: group.Member{Process: "silent", HTTP: silent}, host: "127.0.0.1"}
	if answers := askProcesses(ctx, []member{m}); len(answers) != 0 {
		t.Errorf("the answers are %+v", answers)
	}
}

// A loopback address is asked for members of this machine alone.
func TestMayReach(t *testing.T) {
	own := "127.0.0.2"
	if addresses, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
				own = n.IP.String()
			}
		}
	}
	for _, c := range []struct {
		address, host string
		want          bool
	}{
		{"10.1.2.3:8080", "192.0.2.7", true},
		{"worker-1.example.com:8080", "192.0.2.7", true},
		{"127.0.0.1:8080", "127.0.0.1", true},
		{"127.0.0.1:8080", own, true},
		{"127.0.0.1:8080", "::ffff:" + own, true},
		{"[::1]:8080", "0:0:0:0:0:0:0:1", true},
		{"localhost:8080", "localhost", true},
		{"127.0.0.1:8080", "192.0.2.7", false},
		{"localhost:8080", "192.0.2.7", false},
		{"[::1]:8080", "192.0.2.7", false},
		{"[::ffff:127.0.0.1]:8080", "192.0.2.7", false},
		{"127.0.0.1:8080", "elsewhere", false},
		{"127.0.0.1", "127.0.0.1", false},
	} {
		if got := mayReach(c.address, c.host); got != c.want {
			t.Errorf("%s of a member at %s: %v", c.address, c.host, got)
		}
	}
}

// What the others are told is configured, or is what is really listened on.
func TestAdvertised(t *testing.T) {
	for _, c := range []struct{ listen, configured, want string }{
		{"", "", ""},
		{"", "worker-1:8080", "worker-1:8080"},
		{"127.0.0.1:0", "worker-1:8080", "worker-1:8080"},
		{"127.0.0.1:0", "", "listened"},
		{"localhost:0", "", "listened"},
		{":0", "", ""},
		{"0.0.0.0:0", "", ""},
	} {
		s, err := listenHTTP(c.listen)
		if err != nil {
			t.Fatal(err)
		}
		want := c.want
		if want == "listened" {
			want = s.listener.Addr().String()
		}
		if got := s.advertised(c.configured); got != want || strings.HasSuffix(got, ":0") {
			t.Errorf("%q, %q: %q is told, want %q", c.listen, c.configured, got, want)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}
