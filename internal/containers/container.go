package containers

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

// patience bounds the start of a container.
const patience = 2 * time.Minute

// prepare goes before all else. What would remove the containers of a test that
// was killed is an image of its own, which can't be had everywhere.
func prepare(t *testing.T) {
	t.Helper()
	t.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
}

// start starts a container whose ports are bound to those of the host: inside
// by outside. It is removed when the test ends, and its log is shown if that has
// failed.
func start(t *testing.T, image string, ports map[int]int, options ...testcontainers.ContainerCustomizer) testcontainers.Container {
	t.Helper()
	bindings := network.PortMap{}
	var exposed []string
	for inside, outside := range ports {
		name := strconv.Itoa(inside) + "/tcp"
		exposed = append(exposed, name)
		bindings[network.MustParsePort(name)] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(outside)}}
	}
	c, err := testcontainers.Run(t.Context(), image, append(options,
		testcontainers.WithLogger(log.NewNoopLogger()),
		testcontainers.WithExposedPorts(exposed...),
		testcontainers.WithHostConfigModifier(func(host *container.HostConfig) { host.PortBindings = bindings }),
	)...)
	testcontainers.CleanupContainer(t, c, testcontainers.StopTimeout(0))
	if c != nil {
		t.Cleanup(func() { showLog(t, c) })
	}
	if err != nil {
		t.Fatalf("starting %s: %v", image, err)
	}
	return c
}

// shownLog is how much of a container's log a failed test shows, in bytes.
const shownLog = 4 << 10

func showLog(t *testing.T, c testcontainers.Container) {
	t.Helper()
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // the test's is over
	defer cancel()
	out, err := c.Logs(ctx)
	if err != nil {
		t.Log(err)
		return
	}
	defer out.Close() //nolint:errcheck // it is read as far as it goes
	text, err := io.ReadAll(out)
	t.Logf("the log of container %.12s ends with (%v):\n%s", c.GetContainerID(), err, text[max(0, len(text)-shownLog):])
}

// FreePort returns a port of 127.0.0.1 that nobody listened on a moment ago.
func FreePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody has used it
	return l.Addr().(*net.TCPAddr).Port
}
