package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/internal/containers"
	"traitstream/kafka"
)

const (
	rightsUser     = "traitstream"
	rightsPassword = "at-least-privilege"
	// securedPartitions are those of the source, and the tasks.
	securedPartitions = 2
	// refusalLimit is how soon a command says that it lacks a right. The inbox is
	// emptied each 5 s, at first after one.
	refusalLimit = 15 * time.Second
)

// Against a Kafka in a container, with TLS, SCRAM-SHA-512 and ACLs: the rights in
// docs/operations.md suffice for every command, and without any one of them just
// those commands are refused that are said to need it, soon, and in words that
// name the right and what it is missing on.
func TestRealRightsSuffice(t *testing.T) {
	if os.Getenv("TRAITSTREAM_TEST_DOCKER") == "" {
		t.Skip("set TRAITSTREAM_TEST_DOCKER=1 where docker works and the image apache/kafka can be had")
	}
	rights := documentedRights(t)
	s := newSecured(t)
	for _, r := range rights {
		s.grant(r)
	}
	s.checkPassword()

	// What creates topics can be seen only where there are none.
	for _, r := range rights {
		if r.word == "Create" {
			s.check(r)
		}
	}
	s.checkAll()
	for _, r := range rights {
		if r.word != "Create" {
			s.check(r)
		}
	}
	t.Logf("in all: %.1f s", time.Since(s.began).Seconds())
}

// secured is an app whose user has the rights that the test grants.
type secured struct {
	*testing.T
	dir         string
	super       *kgo.Client
	admin       *kadm.Client
	address     string // of the broker, with TLS
	config      string // by which the user gets in
	open        string // that of the same app for a super user
	file        string // to import
	began, last time.Time
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{T: t, dir: t.TempDir(), began: time.Now(), last: time.Now()}
	k := containers.StartKafka(t, containers.KafkaOptions{Secure: true})
	s.super = world{T: t, brokers: k.Brokers}.newClient()
	s.admin = kadm.NewClient(s.super)
	if _, err := s.admin.AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{
		{User: rightsUser, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: rightsPassword},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.admin.CreateTopic(t.Context(), securedPartitions, 1, nil, "impressions"); err != nil {
		t.Fatal(err)
	}
	write(t, s.dir, "ca.pem", string(k.CA))
	s.address = k.Secure
	s.config = s.configure("user", s.login(rightsPassword))
	s.open = s.configure("super", fmt.Sprintf("brokers: [%s]", k.Brokers[0]))
	// The second element goes to the dead letters.
	s.file = write(t, s.dir, "in.jsonl", segmentEvent("imported", "f", "on", 1)+"\n{}\n")
	s.done("Kafka with TLS, SCRAM-SHA-512 and ACLs started")
	return s
}

// login is how the user gets in.
func (s *secured) login(password string) string {
	return fmt.Sprintf("brokers: [%s], tls: {ca: ca.pem}, sasl: {mechanism: SCRAM-SHA-512, user: %s, password: %s}", s.address, rightsUser, password)
}

func (s *secured) configure(name, brokers string) string {
	return write(s.T, s.dir, name+".yaml", fmt.Sprintf("kafka: {%s}\nstate: {dir: %s}\nhttp: {listen: \"127.0.0.1:0\"}\n", brokers, name))
}

// done tells what a part of the test took.
func (s *secured) done(format string, args ...any) {
	s.Helper()
	s.Logf("%s: %.1f s", fmt.Sprintf(format, args...), time.Since(s.last).Seconds())
	s.last = time.Now()
}

func (s *secured) grant(r right) {
	s.Helper()
	if _, err := s.admin.CreateACLs(s.Context(), r.acl(s.T)); err != nil {
		s.Fatal(err)
	}
	s.untilGranted(r, 1)
}

func (s *secured) revoke(r right) {
	s.Helper()
	if _, err := s.admin.DeleteACLs(s.Context(), r.acl(s.T)); err != nil {
		s.Fatal(err)
	}
	s.untilGranted(r, 0)
}

// untilGranted waits until the broker knows, whom the controller tells.
func (s *secured) untilGranted(r right, times int) {
	s.Helper()
	limit, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	for {
		found, err := s.admin.DescribeACLs(limit, r.acl(s.T))
		if err != nil {
			s.Fatalf("%s: %v", r, err)
		}
		if len(found) == 1 && len(found[0].Described) == times {
			return
		}
	}
}

// checkPassword wants the door to be shut.
func (s *secured) checkPassword() {
	s.Helper()
	status, _, stderr := program(s.T, "", "status", "-c", s.configure("stranger", s.login("another")))
	if status != exitFailed || !strings.Contains(stderr, "check user, password and mechanism in kafka.sasl") {
		s.Errorf("with another password: status %d, %s", status, stderr)
	}
	s.done("a wrong password is refused")
}

// commands are those of the list of rights, in an order in which each has
// something to do.
var commands = []string{"import", "run", "tap", "verify", "status", "forget", "dlq list", "dlq show", "dlq replay", "validate --connect", "definitions list"}

// call runs a command as the user; endless, if it is one that goes on until it
// fails.
func (s *secured) call(command string, endless bool) (status int, said string) {
	s.Helper()
	args := append(strings.Fields(command), "-c", s.config)
	switch command {
	case "import":
		args = append(args, s.file)
	case "run":
		s.produce()
		args = append(args, "--leave") // nobody is to wait for the end of its session
		if !endless {
			args = append(args, "--until-caught-up")
		}
	case "tap":
		args = append(args, "--until-end")
	case "dlq show":
		args = append(args, s.letter())
	case "forget":
		args = append(args, "imported", "--yes")
		defer start(s.T, "run", "-c", s.open, "--leave").stop() // somebody has to do it
	}
	limit, cancel := context.WithTimeout(s.Context(), refusalLimit)
	defer cancel()
	var out, errs output
	m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	status = m.Run(limit, args)
	if limit.Err() != nil {
		s.Errorf("%s has not ended within %s: %s", command, refusalLimit, errs.String())
	}
	if said = errs.String(); said == "" {
		said = out.String() // verify tells differences there
	}
	return status, said
}

// letter returns the place of a dead letter.
func (s *secured) letter() string {
	s.Helper()
	var first letterReport
	line, _, _ := strings.Cut(succeed(s.T, "dlq", "list", "-c", s.open, "--format", "json", "--limit", "1"), "\n")
	if err := json.Unmarshal([]byte(line), &first); err != nil {
		s.Fatalf("%s: %v", line, err)
	}
	return fmt.Sprintf("%d:%d", first.Partition, first.Offset)
}

// produce puts in an impression that is of its task and one that is forwarded, so
// that the inbox has to be emptied.
func (s *secured) produce() {
	s.Helper()
	for user, elsewhere := range map[string]int32{"direct": 0, "forwarded": 1} {
		partition := (kafka.Partition([]byte(user), securedPartitions) + elsewhere) % securedPartitions
		value := segmentEvent(user, "f", "on", int(time.Since(s.began).Seconds()))
		r := &kgo.Record{Topic: "impressions", Partition: partition, Value: []byte(value)}
		if err := s.super.ProduceSync(s.Context(), r).FirstErr(); err != nil {
			s.Fatal(err)
		}
	}
}

// checkAll wants each command to work with all rights.
func (s *secured) checkAll() {
	s.Helper()
	for _, command := range commands {
		if status, stderr := s.call(command, false); status != exitDone || strings.Contains(stderr, "allow this user") {
			s.Errorf("%s: status %d, %s", command, status, stderr)
		}
	}
	s.done("with all rights")
}

// check takes a right away for as long as it takes to see who misses it.
func (s *secured) check(r right) {
	s.Helper()
	s.revoke(r)
	defer s.grant(r)
	began := time.Now()
	for _, command := range commands {
		needed := r.neededBy(command)
		if !needed && r.word == "Create" {
			continue // there is nothing yet that it could work on
		}
		status, stderr := s.call(command, needed && !r.warning)
		switch named := r.isNamed(stderr); {
		case needed && !named, !needed && named:
			s.Errorf("without %s, %s: status %d, %s", r, command, status, stderr)
		case needed && !r.warning && status != exitFailed, r.warning && status != exitDone:
			s.Errorf("without %s, %s: status %d", r, command, status)
		case !needed && status != exitDone:
			s.Errorf("without %s, %s fails for another reason: status %d, %s", r, command, status, stderr)
		}
	}
	how := "is refused"
	if r.warning {
		how = "warns"
	}
	s.Logf("without %s %s: %s: %.1f s", r, how, strings.Join(r.needed, ", "), time.Since(began).Seconds())
}
