package deploy

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const composeFile = "../docker-compose.yml"

// service is what is checked of one in a compose file.
type service struct {
	Image       string
	Ports       []string
	Profiles    []string
	CapDrop     []string `yaml:"cap_drop"`
	ReadOnly    bool     `yaml:"read_only"`
	Healthcheck map[string]any
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Environment map[string]string
}

func readCompose(t *testing.T) map[string]service {
	t.Helper()
	b, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Services map[string]service }
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	return file.Services
}

// What is only for this machine is reached from this machine alone, and holds
// nothing that would have to be kept secret.
func TestComposeIsForThisMachine(t *testing.T) {
	services := readCompose(t)
	secret := regexp.MustCompile(`(?i)password|secret|token|credential`)
	host := regexp.MustCompile(`^127\.0\.0\.1:\$\{[A-Z0-9_]+:-[0-9]+\}:[0-9]+$`)
	for name, s := range services {
		for _, port := range s.Ports {
			if !host.MatchString(port) {
				t.Errorf("%s: port %s is not of 127.0.0.1 alone, or can't be changed", name, port)
			}
		}
		if len(s.CapDrop) != 1 || s.CapDrop[0] != "ALL" {
			t.Errorf("%s keeps capabilities", name)
		}
		if s.Healthcheck == nil && s.Image != "traitstream" { // whose image has one
			t.Errorf("%s has no health check", name)
		}
		if strings.Contains(strings.SplitN(s.Image, "/", 2)[0], ".") {
			t.Errorf("%s: %s names a host", name, s.Image)
		}
		if s.Image == "traitstream" && !s.ReadOnly {
			t.Errorf("%s writes to its root", name)
		}
		if alone := len(s.Profiles) > 0; alone != (name == "grafana") {
			t.Errorf("%s has profiles %v", name, s.Profiles)
		}
		for key := range s.Environment {
			if secret.MatchString(key) {
				t.Errorf("%s has a secret, %s", name, key)
			}
		}
		for other, d := range s.DependsOn {
			if d.Condition == "" || d.Condition == "service_started" {
				t.Errorf("%s does not wait for what %s does", name, other)
			}
		}
	}
}
