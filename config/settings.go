package config

import (
	"cmp"
	"math"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// setting is one key of the file. Its reader gets the value and the key's path.
type setting struct {
	shape shape
	read  func(n *yaml.Node, path string)
}

type shape uint8

const (
	single    shape = iota // a scalar
	list                   // of scalars; in the environment with commas
	structure              // anything else, which the environment does not override
)

// settings returns every key of the file by its path. A path that only begins
// another one, such as kafka, is a section.
func (r *reader) settings() map[string]setting {
	c := r.config
	return map[string]setting{
		"app": r.textInto(&c.App, appName),

		"kafka.brokers":            {list, r.brokers},
		"kafka.tls.ca":             r.pathInto(&c.Kafka.TLS.CA),
		"kafka.tls.cert":           r.pathInto(&c.Kafka.TLS.Cert),
		"kafka.tls.key":            r.pathInto(&c.Kafka.TLS.Key),
		"kafka.sasl.mechanism":     {single, r.mechanism},
		"kafka.sasl.user":          r.textInto(&c.Kafka.SASL.User, notEmpty),
		"kafka.sasl.password":      r.textInto(&c.Kafka.SASL.Password, notEmpty),
		"kafka.sasl.token":         r.textInto(&c.Kafka.SASL.Token, notEmpty),
		"kafka.replication_factor": {single, r.replicationFactor},

		"sources": {structure, r.sources},
		"traits":  {structure, r.traits},

		"definitions.on_change": {single, func(n *yaml.Node, path string) {
			c.Definitions.OnChange, _ = r.choice(n, path, []string{Keep, Apply})
		}},

		"output.topic":      r.textInto(&c.Output.Topic, topicName),
		"output.format":     {single, r.outputFormat},
		"output.partitions": r.numberInto(0, 10000, func(v int64) { c.Output.Partitions = int32(v) }),
		"output.config":     {structure, func(n *yaml.Node, path string) { c.Output.Config = r.words(n, path) }},

		"schema_registry.url":      {list, r.registryURLs},
		"schema_registry.user":     r.textInto(&c.Registry.User, notEmpty),
		"schema_registry.password": r.textInto(&c.Registry.Password, notEmpty),
		"schema_registry.token":    r.textInto(&c.Registry.Token, notEmpty),
		"schema_registry.tls.ca":   r.pathInto(&c.Registry.TLS.CA),
		"schema_registry.tls.cert": r.pathInto(&c.Registry.TLS.Cert),
		"schema_registry.tls.key":  r.pathInto(&c.Registry.TLS.Key),
		"schema_registry.timeout":  r.durationInto(&c.Registry.Timeout, time.Second, 10*time.Minute),

		"state.dir":            r.pathInto(&c.State.Dir),
		"state.memory":         r.sizeInto(&c.State.Memory, 32<<20, 1<<40),
		"state.keep_revoked":   r.durationInto(&c.State.KeepRevoked, 0, 365*day),
		"state.keep_forgotten": r.durationInto(&c.State.KeepForgotten, 0, longest),

		"processor.workers":         r.numberInto(0, 1024, func(v int64) { c.Processor.Workers = int(v) }),
		"processor.commit_interval": r.durationInto(&c.Processor.CommitInterval, time.Millisecond, 5*time.Second),
		"processor.flush_interval":  r.durationInto(&c.Processor.FlushInterval, 0, time.Hour),
		"processor.session_timeout": r.durationInto(&c.Processor.SessionTimeout, 6*time.Second, 30*time.Minute),
		"processor.leave_on_stop":   r.booleanInto(&c.Processor.LeaveOnStop),
		"processor.max_clock_ahead": r.durationInto(&c.Processor.MaxClockAhead, 0, longest),

		"http.listen":    r.textInto(&c.HTTP.Listen, listenAddress),
		"http.advertise": r.textInto(&c.HTTP.Advertise, hostPort),
		"http.token":     r.textInto((*string)(&c.HTTP.Token), token),
		"http.pprof":     r.booleanInto(&c.HTTP.Pprof),
	}
}

// section reads the mapping of the keys that begin with prefix.
func (r *reader) section(n *yaml.Node, prefix string, settings map[string]setting, overridden map[string]bool) {
	known := map[string]func(*yaml.Node){}
	for path, setting := range settings {
		rest, ok := strings.CutPrefix(path, prefix)
		if !ok {
			continue
		}
		key, _, nested := strings.Cut(rest, ".")
		known[key] = func(value *yaml.Node) {
			switch {
			case nested:
				r.section(value, prefix+key+".", settings, overridden)
			case !overridden[path]:
				r.places[path] = r.here(value)
				setting.read(value, path)
			}
		}
	}
	// A section whose keys are all commented out is an empty one, but for tls,
	// which is on by being there.
	if n.ShortTag() == "!!null" && prefix != "kafka.tls." && prefix != "schema_registry.tls." {
		return
	}
	path, _ := strings.CutSuffix(prefix, ".")
	if r.mapping(n, cmp.Or(path, "the configuration"), known) {
		r.places[path] = r.here(n)
	}
}

func (r *reader) textInto(to *string, check func(string) error) setting {
	return setting{single, func(n *yaml.Node, path string) {
		text, ok := r.text(n, path)
		if !ok {
			return
		}
		if err := check(text); err != nil {
			r.refuse(n, "%s: %v", path, err)
			return
		}
		*to = text
	}}
}

func (r *reader) pathInto(to *string) setting {
	file := r.textInto(to, notEmpty)
	return setting{single, func(n *yaml.Node, path string) {
		file.read(n, path)
		*to = r.absolute(*to)
	}}
}

func (r *reader) numberInto(low, high int64, set func(int64)) setting {
	return setting{single, func(n *yaml.Node, path string) {
		if value, ok := r.number(n, path, low, high); ok {
			set(value)
		}
	}}
}

func (r *reader) durationInto(to *time.Duration, low, high time.Duration) setting {
	return setting{single, func(n *yaml.Node, path string) {
		if value, ok := r.duration(n, path, low, high); ok {
			*to = value
		}
	}}
}

func (r *reader) sizeInto(to *int64, low, high int64) setting {
	return setting{single, func(n *yaml.Node, path string) {
		if value, ok := r.size(n, path, low, high); ok {
			*to = value
		}
	}}
}

func (r *reader) brokers(n *yaml.Node, path string) {
	items, ok := r.items(n, path)
	if !ok {
		return
	}
	r.config.Kafka.Brokers = nil
	for _, item := range items {
		var broker string
		r.textInto(&broker, brokerAddress).read(item, path)
		r.config.Kafka.Brokers = append(r.config.Kafka.Brokers, broker)
	}
}

func (r *reader) mechanism(n *yaml.Node, path string) {
	r.config.Kafka.SASL.Mechanism, _ = r.choice(n, path, mechanisms)
}

func (r *reader) replicationFactor(n *yaml.Node, path string) {
	value, ok := r.number(n, path, -1, math.MaxInt16)
	if ok && value == 0 {
		r.refuse(n, "%s must be -1 (the broker's default) or at least 1", path)
		return
	}
	r.config.Kafka.ReplicationFactor = int16(value)
}

func (r *reader) outputFormat(n *yaml.Node, path string) {
	r.config.Output.Format, _ = r.choice(n, path, []string{JSON, Avro})
}

func (r *reader) booleanInto(to *bool) setting {
	return setting{single, func(n *yaml.Node, path string) {
		if value, ok := r.boolean(n, path); ok {
			*to = value
		}
	}}
}
