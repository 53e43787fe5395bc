package deploy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sample is what the demonstration imports.
const sample = "../cmd/traitstream/sample/impressions.jsonl"

// build makes the program of this working copy.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "traitstream")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/traitstream")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// What is deployed is tried with the program itself.
func TestProgram(t *testing.T) {
	binary := build(t)
	t.Run("metrics", func(t *testing.T) { testMetrics(t, binary) })
	t.Run("configurations", func(t *testing.T) { testConfigurations(t, binary) })
}

// testMetrics holds rules, dashboard and documentation to what /metrics has after
// a process has done all that is counted: impressions, dead letters, a restore.
func testMetrics(t *testing.T, binary string) {
	p := &program{binary: binary, dir: t.TempDir(), http: freeAddress(t), kafka: freeAddress(t)}
	config := fmt.Sprintf("kafka: {brokers: [%q]}\nhttp: {listen: %q}\nstate: {dir: data}\n", p.kafka, p.http)
	if err := os.WriteFile(filepath.Join(p.dir, "traitstream.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := p.start(t)
	p.do(t, "status", "--local")
	p.do(t, "import", absolute(t, sample))
	produce(t, p.kafka, &kgo.Record{Topic: "impressions", Value: []byte("no impression")})
	there := p.scrapeUntil(t, "traitstream_dead_letters_total", "traitstream_changes_total", "traitstream_task_lag_seconds")
	stop()
	stop = p.start(t, "--reset-state")
	maps.Copy(there, p.scrapeUntil(t, "traitstream_restore_remaining_records"))
	stop()

	for name, r := range rules(t) {
		for _, metric := range metricNames(t, r.Expr) {
			if !there[metric] && !later[metric] {
				t.Errorf("%s asks for %s, which is not in /metrics", name, metric)
			}
		}
	}
	for title, queries := range readDashboard(t).queries() {
		for _, metric := range metricNames(t, strings.Join(queries, " or ")) {
			if !there[metric] && !later[metric] {
				t.Errorf("%s asks for %s, which is not in /metrics", title, metric)
			}
		}
	}
	compareDocumented(t, there)
}

// later are the metrics that the program did not make, and that one which was
// not needed yet.
var later = map[string]bool{
	"up":                                     true, // Prometheus's own
	"traitstream_kafka_connect_errors_total": true, // with the first error
	"traitstream_replayed_impressions_total": true, // with the first replay
}

// compareDocumented holds the operations guide to the program's own metrics, both
// ways.
func compareDocumented(t *testing.T, there map[string]bool) {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(traitstream_[a-z_]+)").FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = true
	}
	for name := range documented {
		if !there[name] && !later[name] {
			t.Errorf("docs/operations.md tells of %s, which is not in /metrics", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		series := strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_sum") || strings.HasSuffix(name, "_count")
		if strings.HasPrefix(name, "traitstream_") && !strings.HasPrefix(name, "traitstream_kafka_") && !series && !documented[name] {
			t.Errorf("docs/operations.md does not tell of %s", name)
		}
	}
}

// program is a process with a folder, an embedded broker and a listener.
type program struct{ binary, dir, http, kafka string }

// start starts it, waits until it is ready and returns what stops it.
func (p *program) start(t *testing.T, args ...string) (stop func()) {
	t.Helper()
	cmd := exec.Command(p.binary, append([]string{"run", "--embedded", "--embedded-listen", p.kafka}, args...)...)
	cmd.Dir = p.dir
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v\n%s", err, log.String())
		}
	}
	t.Cleanup(stop)
	eventually(t, "the program is ready", 30*time.Second, func() error {
		_, err := get("http://" + p.http + "/readyz")
		return err
	})
	return stop
}

// do runs a command to its end.
func (p *program) do(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(p.binary, args...)
	cmd.Dir = p.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("traitstream %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// scrapeUntil returns the names of the series in /metrics once it has some.
func (p *program) scrapeUntil(t *testing.T, wanted ...string) map[string]bool {
	t.Helper()
	var names map[string]bool
	eventually(t, "/metrics has "+strings.Join(wanted, ", "), 30*time.Second, func() error {
		text, err := get("http://" + p.http + "/metrics")
		if err != nil {
			return err
		}
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(text))
		if err != nil {
			return err
		}
		names = map[string]bool{}
		for name, f := range families {
			names[name] = true
			if f.GetType() == dto.MetricType_HISTOGRAM {
				names[name+"_bucket"], names[name+"_sum"], names[name+"_count"] = true, true, true
			}
		}
		for _, w := range wanted {
			if !names[w] {
				return fmt.Errorf("it lacks %s", w)
			}
		}
		return nil
	})
	return names
}

// testConfigurations has the program check what the deployments give it.
func testConfigurations(t *testing.T, binary string) {
	validate := func(text string, env ...string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "traitstream.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(binary, "validate", "-c", file)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("traitstream validate: %v\n%s\n%s", err, out, text)
		}
	}
	compose, err := os.ReadFile("compose/traitstream.yaml")
	if err != nil {
		t.Fatal(err)
	}
	validate(string(compose))
	for name, values := range valuesCases() {
		text, env := configuration(t, render(t, values))
		t.Logf("%s: with %s", name, strings.Join(env, ", "))
		validate(text, append(env, "KAFKA_PASSWORD=made-up")...)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// freeAddress returns one that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually repeats a look until it sees no error, or time is up.
func eventually(t *testing.T, what string, within time.Duration, look func() error) {
	t.Helper()
	began, tick := time.Now(), time.NewTicker(200*time.Millisecond)
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return
		}
		if time.Since(began) > within {
			t.Fatalf("%s: not within %s: %v", what, within, err)
		}
		<-tick.C
	}
}

// get returns a page; any status but 200 is an error.
func get(url string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), err
}

// produce writes records as anybody would.
func produce(t *testing.T, broker string, records ...*kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
