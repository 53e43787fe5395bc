// Package containers starts Apache Kafka and a schema registry in containers,
// for tests. They end with the test that has started them.
//
// The images are those of docker-compose.yml. Ports of the host are chosen before
// a container starts and bound to 127.0.0.1, so that a broker can tell its clients
// where it is, and is there again when it was killed and has been started anew.
package containers
