package containers

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
)

const kafkaImage = "apache/kafka:4.3.1"

// Ports inside of a node's container. Those of the listeners for the host are the
// same outside.
const (
	brokerPort     = 9092
	controllerPort = 9093
)

// KafkaOptions are how a cluster is started. The zero value is one node with a
// plain listener.
type KafkaOptions struct {
	Nodes int // 0: one
	// DetourPort, if set, is where the clients of Kafka.Detour are sent: whoever
	// listens there passes them on to it. It is a port of the first node alone.
	DetourPort int
	// Secure adds a listener with TLS, SCRAM-SHA-512 and ACLs to the first node.
	Secure bool
}

// Kafka is a cluster of combined nodes on a network of its own. Its clients on
// the plain listeners are super users.
type Kafka struct {
	Brokers []string // plain listeners, by node, as host:port
	Detour  string   // a plain listener whose clients are sent to another port
	Secure  string   // the listener with TLS, SCRAM-SHA-512 and ACLs
	CA      []byte   // who has signed its certificate, as PEM

	nodes  []testcontainers.Container
	starts []int // of each node
	docker *testcontainers.DockerClient
}

// StartKafka starts a cluster and waits until all nodes run.
func StartKafka(t *testing.T, o KafkaOptions) *Kafka {
	t.Helper()
	prepare(t)
	k := &Kafka{}
	lan, err := network.New(t.Context())
	if err != nil {
		t.Fatalf("making a network: %v", err)
	}
	testcontainers.CleanupNetwork(t, lan)
	for i := range max(o.Nodes, 1) {
		n := newNode(t, i, max(o.Nodes, 1))
		if i == 0 && o.DetourPort > 0 {
			k.Detour = n.listen(t, "DETOUR", "PLAINTEXT", o.DetourPort)
		}
		if i == 0 && o.Secure {
			k.CA = n.secure(t)
			k.Secure = n.listen(t, "SECURE", "SASL_SSL", 0)
		}
		k.Brokers = append(k.Brokers, n.listen(t, "HOST", "PLAINTEXT", 0))
		k.nodes = append(k.nodes, start(t, kafkaImage, n.ports,
			network.WithNetwork([]string{n.name}, lan), testcontainers.WithEnv(n.environment()), testcontainers.WithFiles(n.files...)))
		k.starts = append(k.starts, 1)
	}
	if k.docker, err = testcontainers.NewDockerClientWithOpts(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.docker.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range k.nodes { // they wait for each other
		if err := k.untilStarted(t.Context(), i); err != nil {
			t.Fatalf("node %d: %v", i, err)
		}
	}
	return k
}

// Kill kills a node as kill -9 does.
func (k *Kafka) Kill(ctx context.Context, n int) error {
	_, err := k.docker.ContainerKill(ctx, k.nodes[n].GetContainerID(), client.ContainerKillOptions{Signal: "KILL"})
	return err
}

// Restart starts a node that was killed, on its data, and waits until it runs.
func (k *Kafka) Restart(ctx context.Context, n int) error {
	if err := k.nodes[n].Start(ctx); err != nil {
		return err
	}
	k.starts[n]++
	return k.untilStarted(ctx, n)
}

// Pause makes a node stand still, connections and all.
func (k *Kafka) Pause(ctx context.Context, n int) error {
	_, err := k.docker.ContainerPause(ctx, k.nodes[n].GetContainerID(), client.ContainerPauseOptions{})
	return err
}

// Resume lets a node that stands still go on.
func (k *Kafka) Resume(ctx context.Context, n int) error {
	_, err := k.docker.ContainerUnpause(ctx, k.nodes[n].GetContainerID(), client.ContainerUnpauseOptions{})
	return err
}

func (k *Kafka) untilStarted(ctx context.Context, n int) error {
	return wait.ForLog("Kafka Server started").WithOccurrence(k.starts[n]).WithStartupTimeout(patience).WaitUntilReady(ctx, k.nodes[n])
}

// node is what a node is started with.
type node struct {
	name                           string
	ports                          map[int]int
	env                            map[string]string
	listeners, advertised, mapping []string
	files                          []testcontainers.ContainerFile
}

func newNode(t *testing.T, id, nodes int) *node {
	t.Helper()
	name := func(id int) string { return fmt.Sprintf("kafka-%d", id) }
	var voters []string
	for i := range nodes {
		voters = append(voters, fmt.Sprintf("%d@%s:%d", i, name(i), controllerPort))
	}
	replicas, inSync := fmt.Sprint(min(nodes, 3)), fmt.Sprint(min(nodes, 2))
	return &node{
		name:       name(id),
		ports:      map[int]int{},
		listeners:  []string{fmt.Sprintf("BROKER://:%d", brokerPort), fmt.Sprintf("CONTROLLER://:%d", controllerPort)},
		advertised: []string{fmt.Sprintf("BROKER://%s:%d", name(id), brokerPort)},
		mapping:    []string{"BROKER:PLAINTEXT", "CONTROLLER:PLAINTEXT"},
		env: map[string]string{
			"CLUSTER_ID":                                     "4L6g3nShT-eMCtK--X86sw", // any, of all nodes
			"KAFKA_NODE_ID":                                  fmt.Sprint(id),
			"KAFKA_PROCESS_ROLES":                            "broker,controller",
			"KAFKA_CONTROLLER_QUORUM_VOTERS":                 strings.Join(voters, ","),
			"KAFKA_CONTROLLER_LISTENER_NAMES":                "CONTROLLER",
			"KAFKA_INTER_BROKER_LISTENER_NAME":               "BROKER",
			"KAFKA_BROKER_SESSION_TIMEOUT_MS":                "6000", // a dead one is noticed
			"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                "false",
			"KAFKA_DEFAULT_REPLICATION_FACTOR":               replicas,
			"KAFKA_MIN_INSYNC_REPLICAS":                      inSync,
			"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":             "4",
			"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         replicas,
			"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS":     "4",
			"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": replicas,
			"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            inSync,
			"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":         "0",
			"KAFKA_HEAP_OPTS":                                "-Xmx400m",
			// A node that lives for a minute starts sooner so.
			"KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
		},
	}
}

// listen adds a listener for the host, whose clients are sent to a port, 0 being
// its own, and returns its address.
func (n *node) listen(t *testing.T, name, protocol string, sentTo int) string {
	t.Helper()
	port := FreePort(t)
	if sentTo == 0 {
		sentTo = port
	}
	n.ports[port] = port
	n.listeners = append(n.listeners, fmt.Sprintf("%s://:%d", name, port))
	n.advertised = append(n.advertised, fmt.Sprintf("%s://127.0.0.1:%d", name, sentTo))
	n.mapping = append(n.mapping, name+":"+protocol)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func (n *node) environment() map[string]string {
	env := maps.Clone(n.env)
	env["KAFKA_LISTENERS"] = strings.Join(n.listeners, ",")
	env["KAFKA_ADVERTISED_LISTENERS"] = strings.Join(n.advertised, ",")
	env["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"] = strings.Join(n.mapping, ",")
	return env
}
