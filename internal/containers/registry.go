package containers

import (
	"fmt"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	registryImage = "apicurio/apicurio-registry:3.3.3"
	registryPort  = 8080 // inside of its container
)

// StartRegistry starts an empty schema registry and returns its address, as
// schema_registry.url takes it.
func StartRegistry(t *testing.T) string {
	t.Helper()
	prepare(t)
	port := FreePort(t)
	start(t, registryImage, map[int]int{registryPort: port}, testcontainers.WithWaitStrategyAndDeadline(patience,
		wait.ForLog("Listening on: http").WithStartupTimeout(patience)))
	return fmt.Sprintf("http://127.0.0.1:%d/apis/ccompat/v7", port)
}
