package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// samples holds a value for each setting that the environment can override, as
// YAML has it, and what must stand beside it.
var samples = map[string]struct{ value, beside string }{
	"app":                       {value: "growth"},
	"kafka.brokers":             {value: "[a:1, b:2]"},
	"kafka.tls.ca":              {value: "ca.pem"},
	"kafka.tls.cert":            {value: "cert.pem", beside: "kafka: {tls: {key: key.pem}}"},
	"kafka.tls.key":             {value: "key.pem", beside: "kafka: {tls: {cert: cert.pem}}"},
	"kafka.sasl.mechanism":      {value: "SCRAM-SHA-256", beside: "kafka: {sasl: {user: app, password: x}}"},
	"kafka.sasl.user":           {value: "app", beside: "kafka: {sasl: {mechanism: PLAIN, password: x}}"},
	"kafka.sasl.password":       {value: "x", beside: "kafka: {sasl: {mechanism: PLAIN, user: app}}"},
	"kafka.sasl.token":          {value: "x", beside: "kafka: {sasl: {mechanism: OAUTHBEARER}}"},
	"kafka.replication_factor":  {value: "3"},
	"output.topic":              {value: "traits"},
	"output.format":             {value: "avro"},
	"output.partitions":         {value: "12"},
	"schema_registry.url":       {value: "[http://a:8081, https://b]"},
	"schema_registry.user":      {value: "app", beside: "schema_registry: {password: x}"},
	"schema_registry.password":  {value: "x", beside: "schema_registry: {user: app}"},
	"schema_registry.token":     {value: "x"},
	"schema_registry.tls.ca":    {value: "ca.pem", beside: "schema_registry: {url: \"https://a\", tls: {key: k.pem, cert: c.pem}}"},
	"schema_registry.tls.cert":  {value: "cert.pem", beside: "schema_registry: {url: \"https://a\", tls: {key: key.pem}}"},
	"schema_registry.tls.key":   {value: "key.pem", beside: "schema_registry: {url: \"https://a\", tls: {cert: cert.pem}}"},
	"schema_registry.timeout":   {value: "1m"},
	"state.dir":                 {value: "data"},
	"state.memory":              {value: "1GiB"},
	"state.keep_forgotten":      {value: "90d"},
	"definitions.on_change":     {value: "apply"},
	"state.keep_revoked":        {value: "2h"},
	"processor.workers":         {value: "4"},
	"processor.commit_interval": {value: "50ms"},
	"processor.flush_interval":  {value: "45s"},
	"processor.session_timeout": {value: "20s"},
	"processor.leave_on_stop":   {value: "true"},
	"processor.max_clock_ahead": {value: "1d"},
	"http.listen":               {value: "127.0.0.1:0"},
	"http.token":                {value: "0123456789abcdef"},
	"http.pprof":                {value: "true"},
	"http.advertise":            {value: "traits:8080"},
}

func environment(all map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := all[name]
		return value, ok
	}
}

// inFile writes a setting as YAML, merged with what stands beside it.
func inFile(path, value, beside string) string {
	keys := strings.Split(path, ".")
	inner := keys[len(keys)-1] + ": " + value
	if beside != "" {
		return strings.Replace(beside, "}", ", "+inner+"}", 1)
	}
	for _, key := range slices.Backward(keys[:len(keys)-1]) {
		inner = key + ": {" + inner + "}"
	}
	return inner
}

func TestEnvironmentSaysWhatTheFileSays(t *testing.T) {
	r := reader{config: defaults()}
	settings := r.settings()
	for _, path := range slices.Sorted(maps.Keys(settings)) {
		if settings[path].shape == structure {
			continue
		}
		t.Run(path, func(t *testing.T) {
			sample, ok := samples[path]
			if !ok {
				t.Fatal("no sample for this setting")
			}
			text := inFile(path, sample.value, sample.beside)
			fromFile, err := Parse("x.yaml", []byte(text), environment(nil))
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			value := strings.ReplaceAll(strings.Trim(sample.value, "[]"), ", ", " ,")
			fromEnvironment, err := Parse("x.yaml", []byte(sample.beside), environment(map[string]string{variable(path): value}))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(fromFile, fromEnvironment) {
				t.Errorf("the environment gives %+v, the file %+v", fromEnvironment, fromFile)
			}
			none, err := Parse("x.yaml", nil, environment(nil))
			if err != nil {
				t.Fatal(err)
			}
			if reflect.DeepEqual(fromFile, none) {
				t.Error("the setting changes nothing")
			}
		})
	}
}

func TestEnvironmentGoesBeforeTheFile(t *testing.T) {
	file := `
app: ${NOT_SET}
kafka:
  brokers: no list
  sasl: {mechanism: PLAIN, user: app, password: "${NOT_SET}"}
processor: {workers: 9, leave_on_stop: true}
`
	config, err := Parse("x.yaml", []byte(file), environment(map[string]string{
		"TRAITSTREAM_APP":                     "growth",
		"TRAITSTREAM_KAFKA_BROKERS":           "a:1",
		"TRAITSTREAM_KAFKA_SASL_PASSWORD":     "$$${X}",
		"TRAITSTREAM_PROCESSOR_WORKERS":       "1",
		"TRAITSTREAM_PROCESSOR_LEAVE_ON_STOP": "false",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if config.Output.Topic != "growth-traits" || config.Group() != "growth" {
		t.Errorf("output %q, group %q", config.Output.Topic, config.Group())
	}
	if !slices.Equal(config.Kafka.Brokers, []string{"a:1"}) || config.Processor.Workers != 1 || config.Processor.LeaveOnStop {
		t.Errorf("%+v", config)
	}
	if password := config.Kafka.SASL.Password; password != "$$${X}" {
		t.Errorf("a variable is taken as it is, but the password is %q", password)
	}
}

func TestProblemsOfTheEnvironment(t *testing.T) {
	_, err := Parse("x.yaml", []byte("sources: [{topic: x-traits}, {topic: [a]}]"), environment(map[string]string{
		"TRAITSTREAM_APP":                  "x",
		"TRAITSTREAM_KAFKA_BROKERS":        "a:1,",
		"TRAITSTREAM_OUTPUT_PARTITIONS":    "many",
		"TRAITSTREAM_KAFKA_SASL_MECHANISM": "plain",
		"TRAITSTREAM_KAFKA_SASL_USER":      "",
		"TRAITSTREAM_KAFKA_TLS_CERT":       "cert.pem",
		"TRAITSTREAM_HTTP_LISTEN":          "8080",
	}))
	want := `
TRAITSTREAM_HTTP_LISTEN: http.listen: "8080" is no address; write host:port or :port, or "" for no listener
TRAITSTREAM_KAFKA_BROKERS: kafka.brokers: "" is no broker; write host:port
TRAITSTREAM_KAFKA_SASL_MECHANISM: kafka.sasl.mechanism must be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM, not "plain"
TRAITSTREAM_KAFKA_SASL_USER: kafka.sasl.user: it is empty; write a value, or leave the key out
TRAITSTREAM_KAFKA_TLS_CERT: kafka.tls needs cert and key together, or neither
TRAITSTREAM_OUTPUT_PARTITIONS: output.partitions must be a whole number from 0 to 10000, not "many"
x.yaml:1:19: topic "x-traits" is the output of app "x" and cannot be a source
x.yaml:1:38: topic must be a single value, not a list`
	if err == nil || "\n"+err.Error() != want {
		t.Errorf("got\n%v\nwant%s", err, want)
	}
}

func TestExpand(t *testing.T) {
	env := environment(map[string]string{"A": "x", "B_2": "${A}", "EMPTY": ""})
	for text, want := range map[string]string{
		"":              "",
		"plain":         "plain",
		"${A}":          "x",
		"<${A}${A}>":    "<xx>",
		"${B_2}":        "${A}",
		"a${EMPTY}b":    "ab",
		"$$":            "$",
		"$${A}":         "${A}",
		"$$${A}":        "$x",
		"$A costs 5$":   "$A costs 5$",
		"{split}_${A}}": "{split}_x}",
	} {
		if got, err := expand(text, env); got != want || err != nil {
			t.Errorf("%q gives %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"${", "a${A", "${}", "${A:-x}", "${2}", "${ A}", "${C}", "${Ä}"} {
		if got, err := expand(text, env); err == nil {
			t.Errorf("%q gives %q", text, got)
		}
	}
}

func TestExpandEscapes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a${}]*`)).Draw(t, "text")
		got, err := expand(strings.ReplaceAll(text, "$", "$$"), environment(nil))
		if err != nil || got != text {
			t.Fatalf("%q comes back as %q, %v", text, got, err)
		}
	})
}
