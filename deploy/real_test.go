package deploy

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// docker is the compose set-up under a name and ports of its own, so that it
// stands beside one that somebody uses.
type docker struct {
	project     string
	env         []string
	kafka       string   // as the host reaches it
	instances   []string // HTTP, likewise
	prometheus  string
	registry    string
	began, last time.Time
}

// newDocker skips the test where no docker with compose is said to be there.
func newDocker(t *testing.T) *docker {
	t.Helper()
	if os.Getenv("TRAITSTREAM_TEST_DOCKER") == "" {
		t.Skip("set TRAITSTREAM_TEST_DOCKER=1 where docker compose works and the images can be had")
	}
	d := &docker{project: "traitstream-test-" + strconv.Itoa(os.Getpid()), began: time.Now(), last: time.Now()}
	port := func(name string) string {
		address := freeAddress(t)
		_, p, _ := net.SplitHostPort(address)
		d.env = append(d.env, name+"="+p)
		return address
	}
	d.kafka, d.prometheus, d.registry = port("KAFKA_PORT"), port("PROMETHEUS_PORT"), port("REGISTRY_PORT")
	d.instances = []string{port("HTTP_PORT_1"), port("HTTP_PORT_2")}
	t.Cleanup(func() { d.down(t) })
	return d
}

// done tells what a part of the test took.
func (d *docker) done(t *testing.T, what string) {
	t.Helper()
	t.Logf("%s: %.1f s", what, time.Since(d.last).Seconds())
	d.last = time.Now()
}

// run runs docker and returns what it prints on standard output.
func (d *docker) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := d.try(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (d *docker) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = append(os.Environ(), d.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("docker %s: %w\n%s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// compose is a command on the set-up.
func (d *docker) compose(args ...string) []string {
	return append([]string{"compose", "-p", d.project, "-f", composeFile}, args...)
}

// down removes the set-up and checks that nothing is left.
func (d *docker) down(t *testing.T) {
	t.Helper()
	if t.Failed() {
		logs, _ := d.try(d.compose("logs", "--no-color", "--tail", "40")...)
		t.Log(logs)
	}
	if _, err := d.try(d.compose("down", "-v", "--remove-orphans", "--timeout", "20")...); err != nil {
		t.Error(err)
	}
	filter := "label=com.docker.compose.project=" + d.project
	for _, kind := range [][]string{{"ps", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"}} {
		if left, err := d.try(append(kind, "--filter", filter)...); err != nil || strings.TrimSpace(left) != "" {
			t.Errorf("docker %s after the end: %q, %v", kind[0], left, err)
		}
	}
	d.done(t, "taken down")
	t.Logf("in all: %.1f s", time.Since(d.began).Seconds())
}

// The set-up of docker-compose.yml as somebody has it who has just cloned the
// project: built, started, watched, one instance killed, and removed.
func TestRealCompose(t *testing.T) {
	d := newDocker(t)
	d.run(t, d.compose("build", "traitstream-1")...)
	d.done(t, "image built")
	d.checkImage(t)
	d.checkSBOM(t)
	d.done(t, "image and SBOM are right")

	d.run(t, d.compose("up", "-d", "--wait", "--wait-timeout", "180")...)
	d.done(t, "up, and all healthy")
	want := d.expected(t)
	eventually(t, "the sample's traits are in the topic", 30*time.Second, func() error { return d.traits(t, want) })
	d.done(t, "the sample's traits are there")
	d.checkShares(t)
	d.checkAvro(t, want)

	unload := d.load(t)
	d.checkPrometheus(t)
	d.done(t, "Prometheus scrapes both and evaluates the rules")

	d.run(t, d.compose("kill", "traitstream-2")...)
	eventually(t, "the first instance has all tasks", time.Minute, func() error {
		s, err := d.status(0)
		if err == nil && (len(s.Tasks) != 4 || !s.Ready) {
			err = fmt.Errorf("it has %+v", s)
		}
		return err
	})
	d.done(t, "a killed instance's tasks were taken over")
	d.checkData(t)
	unload()
	d.done(t, "rules and dashboard have data")
	d.run(t, d.compose("up", "-d", "--wait", "--wait-timeout", "60")...)
	eventually(t, "both have tasks again", time.Minute, func() error { return d.shared() })
	eventually(t, "nothing is lost", 30*time.Second, func() error { return d.traits(t, want) })
	d.done(t, "it came back and has its share")
}

func (d *docker) checkImage(t *testing.T) {
	t.Helper()
	var images []struct {
		Size   int64
		Config struct {
			User        string
			Labels      map[string]string
			Healthcheck struct{ Test []string }
		}
	}
	if err := json.Unmarshal([]byte(d.run(t, "image", "inspect", "traitstream")), &images); err != nil {
		t.Fatal(err)
	}
	image := images[0]
	t.Logf("the image has %.1f MB", float64(image.Size)/1e6)
	// A library that calls methods by name, for which the linker keeps all of them, is 10 MB.
	if image.Size >= 40e6 {
		t.Errorf("the image has %d bytes, want less than 40 MB", image.Size)
	}
	if user, _, _ := strings.Cut(image.Config.User, ":"); user == "" || user == "0" || user == "root" {
		t.Errorf("the image runs as %q", image.Config.User)
	}
	if len(image.Config.Healthcheck.Test) == 0 || image.Config.Labels["org.opencontainers.image.licenses"] == "" {
		t.Errorf("the image lacks a health check or labels: %+v", image.Config)
	}
	version := d.run(t, "run", "--rm", "--read-only", "--cap-drop", "ALL", "--network", "none", "traitstream", "version")
	commit, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "traitstream devel-" + strings.TrimSpace(string(commit)) + " "; !strings.HasPrefix(version, want) {
		t.Errorf("the image's version is %q, want %q", version, want)
	}
}

// checkSBOM holds the list in the image to what the binary beside it says that it
// is made of.
func (d *docker) checkSBOM(t *testing.T) {
	t.Helper()
	container, dir := strings.TrimSpace(d.run(t, "create", "traitstream")), t.TempDir()
	defer d.run(t, "rm", container)
	binary, list := filepath.Join(dir, "traitstream"), filepath.Join(dir, "sbom")
	d.run(t, "cp", container+":/usr/bin/traitstream", binary)
	d.run(t, "cp", container+":/usr/share/sbom/traitstream.cdx.json", list)
	var sbom struct {
		BOMFormat  string
		Components []struct{ Name, Version string }
	}
	text, err := os.ReadFile(list)
	if err == nil {
		err = json.Unmarshal(text, &sbom)
	}
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, c := range sbom.Components {
		listed[c.Name] = c.Version
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(info.Deps, &debug.Module{Path: "std", Version: info.GoVersion}) {
		if m.Replace != nil {
			m = m.Replace
		}
		if listed[m.Path] != m.Version {
			t.Errorf("the SBOM has %s %q, and the binary %q", m.Path, listed[m.Path], m.Version)
		}
	}
	if sbom.BOMFormat != "CycloneDX" || len(info.Deps) < 20 || len(listed) != len(info.Deps)+1 {
		t.Errorf("a %s of %d components for %d modules", sbom.BOMFormat, len(listed), len(info.Deps))
	}
}

// trait is what a value says, but for the place where it was read.
type trait struct {
	Identity, ID, Trait string
	Value               any
	SeenAt              string `json:"seen_at"`
}

func (t trait) key() string { return t.Identity + " " + t.ID + " " + t.Trait }

// expected is what the demonstration makes of the same sample.
func (d *docker) expected(t *testing.T) map[string]trait {
	t.Helper()
	all := map[string]trait{}
	out := d.run(t, d.compose("run", "--rm", "-T", "--no-deps", "traitstream-1", "demo", "--format", "json")...)
	for line := range strings.Lines(out) {
		var one trait
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all[one.key()] = one
	}
	if len(all) == 0 {
		t.Fatal("the sample has no traits")
	}
	return all
}

// traits reads the topic as a subscriber and tells which of the wanted traits it
// has not.
func (d *docker) traits(t *testing.T, want map[string]trait) error {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.kafka), kgo.ConsumeTopics("traitstream-traits"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	missing := maps.Clone(want)
	for len(missing) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return errors.Join(err, fmt.Errorf("missing: %v", slices.Sorted(maps.Keys(missing))))
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var one trait
			if json.Unmarshal(r.Value, &one) == nil && want[one.key()] == one {
				delete(missing, one.key())
			}
		})
	}
	return nil
}

// status is what an instance says of itself.
type status struct {
	Ready bool
	Tasks []struct {
		Task  int
		State string
	}
}

func (d *docker) status(instance int) (s status, err error) {
	text, err := get("http://" + d.instances[instance] + "/status")
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	return s, err
}

func (d *docker) checkShares(t *testing.T) {
	t.Helper()
	eventually(t, "two instances share the tasks", 30*time.Second, d.shared)
	d.done(t, "two instances share the tasks")
}

// shared tells why the instances do not have two tasks each.
func (d *docker) shared() error {
	owned := map[int]int{}
	for i := range d.instances {
		s, err := d.status(i)
		if err != nil {
			return err
		}
		if !s.Ready || len(s.Tasks) != 2 {
			return fmt.Errorf("instance %d has %+v", i+1, s)
		}
		for _, task := range s.Tasks {
			owned[task.Task]++
		}
	}
	if len(owned) != 4 {
		return fmt.Errorf("tasks by owners: %v", owned)
	}
	return nil
}

// checkAvro lets another app, whose topics do not hold JSON yet, do the same in
// Avro, as OUTPUT_FORMAT says it, and reads what it wrote by the registry.
func (d *docker) checkAvro(t *testing.T, want map[string]trait) {
	t.Helper()
	avro := *d
	avro.env = append(slices.Clone(d.env), "OUTPUT_FORMAT=avro")
	app := avro.compose("run", "--rm", "-T", "--no-deps", "-e", "TRAITSTREAM_APP=avro", "-e", "TRAITSTREAM_STATE_DIR=/tmp/state", "traitstream-1")
	avro.run(t, append(app, "run", "--until-caught-up")...)
	missing := maps.Clone(want)
	for line := range strings.Lines(avro.run(t, append(app, "tap", "--until-end", "--format", "json")...)) {
		var record struct {
			Topic string
			Value *trait
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Topic != "avro-traits" {
			t.Fatalf("%s: %v", line, err)
		}
		if v := record.Value; v != nil && want[v.key()] == *v {
			delete(missing, v.key())
		}
	}
	if len(missing) > 0 {
		t.Errorf("missing in Avro: %v", slices.Sorted(maps.Keys(missing)))
	}
	var subjects []string
	text, err := get("http://" + d.registry + "/apis/ccompat/v7/subjects")
	if err == nil {
		err = json.Unmarshal([]byte(text), &subjects)
	}
	if slices.Sort(subjects); err != nil || !slices.Equal(subjects, []string{"avro-traits-key", "avro-traits-value"}) {
		t.Errorf("the registry has %v, %v", subjects, err)
	}
	d.done(t, "another app has written the same in Avro")
}

// load sends impressions, some of them bad, each fifth of a second, until the
// returned function is called.
func (d *docker) load(t *testing.T) (stop func()) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.kafka))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			treatment := []string{"on", "off"}[i%2]
			value := fmt.Sprintf(`{"type":"track","event":"get_treatment","userId":"load-%d","timestamp":%q,"properties":{"split":"load","treatment":%q,"environmentName":"Production"}}`,
				i%40, time.Now().UTC().Format(time.RFC3339Nano), treatment)
			cl.Produce(ctx, &kgo.Record{Topic: "impressions", Value: []byte(value)}, nil)
			if i%10 == 0 {
				cl.Produce(ctx, &kgo.Record{Topic: "impressions", Value: []byte("no impression")}, nil)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	stop = func() {
		cancel()
		<-done
		cl.Close()
	}
	t.Cleanup(stop)
	return stop
}

// answer is what Prometheus says to a query.
type answer struct {
	Status, Error string
	Data          struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
	}
}

func (d *docker) query(expr string) (a answer, err error) {
	text, err := get("http://" + d.prometheus + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err == nil {
		err = json.Unmarshal([]byte(text), &a)
	}
	if err == nil && a.Status != "success" {
		err = errors.New(a.Error)
	}
	return a, err
}

// some tells why a query has no data.
func (d *docker) some(expr string) error {
	a, err := d.query(expr)
	if err == nil && len(a.Data.Result) == 0 {
		err = errors.New("no data: " + expr)
	}
	return err
}

// checkPrometheus holds the configuration and the rules to Prometheus's own tool
// and to what it makes of them.
func (d *docker) checkPrometheus(t *testing.T) {
	t.Helper()
	d.run(t, d.compose("exec", "-T", "prometheus", "promtool", "check", "config", "/etc/prometheus/prometheus.yml")...)
	eventually(t, "Prometheus scrapes both instances", 30*time.Second, func() error {
		a, err := d.query(`up{job="traitstream"} == 1`)
		if err == nil && len(a.Data.Result) != 2 {
			err = fmt.Errorf("up: %+v", a.Data.Result)
		}
		return err
	})
	var rulesAnswer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError, State string }
			}
		}
	}
	eventually(t, "every rule is evaluated", time.Minute, func() error {
		text, err := get("http://" + d.prometheus + "/api/v1/rules")
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &rulesAnswer); err != nil {
			return err
		}
		for _, g := range rulesAnswer.Data.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" || r.State == "firing" && r.Name != "TraitstreamDeadLetters" {
					return fmt.Errorf("%+v", r)
				}
			}
		}
		if len(rulesAnswer.Data.Groups) != 1 || len(rulesAnswer.Data.Groups[0].Rules) != len(rules(t)) {
			return fmt.Errorf("there are %+v", rulesAnswer)
		}
		return nil
	})
}

// checkData sends what the rules look at and what Grafana would send. A restore
// and a dead letter lie behind, so there is nothing that has no data.
func (d *docker) checkData(t *testing.T) {
	t.Helper()
	for name, r := range rules(t) {
		for _, metric := range metricNames(t, r.Expr) {
			if !later[metric] {
				eventually(t, name+" has data", 30*time.Second, func() error { return d.some(metric + `{job="traitstream"}`) })
			}
		}
	}
	for title, queries := range readDashboard(t).queries() {
		for _, q := range queries {
			eventually(t, "the panel "+title+" has data", 30*time.Second, func() error { return d.some(q) })
		}
	}
}
