//go:build linux

package chaos

import (
	"context"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// line is a network path that can be cut.
type line struct {
	t       *testing.T
	address string
	proxy   *toxiproxy.Proxy
}

// newLine opens a line from an address to another one.
func newLine(t *testing.T, from, to string) *line {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &line{t, from, toxiproxy.NewProxy(server, "kafka", from, to)}
	l.open()
	t.Cleanup(l.close)
	return l
}

func (l *line) open() {
	l.t.Helper()
	if err := l.proxy.Start(); err != nil {
		l.t.Errorf("opening the line: %v", err)
	}
}

// close closes all connections and takes no new ones.
func (l *line) close() { l.proxy.Stop() }

// silence lets nothing pass, either way; connections stay as they are.
func (l *line) silence() {
	l.t.Helper()
	for _, way := range []string{"upstream", "downstream"} {
		toxic := `{"name":"` + way + `","type":"timeout","stream":"` + way + `","attributes":{"timeout":0}}`
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			l.t.Errorf("silencing the line: %v", err)
		}
	}
}

// speak ends a silence.
func (l *line) speak() { l.proxy.Toxics.ResetToxics(context.Background()) }
