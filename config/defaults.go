package config

import (
	"time"

	"traitstream/impression"
)

// defaults is what an empty file stands for, but for what depends on other
// settings, which complete fills in. TLS and SASL are there to be read into.
func defaults() *Config {
	return &Config{
		App: "traitstream",
		Kafka: Kafka{
			Brokers:           []string{"127.0.0.1:9092"},
			TLS:               &TLS{},
			SASL:              &SASL{},
			ReplicationFactor: -1,
		},
		Sources: []Source{{Source: impression.Source{
			Topic:    "impressions",
			Format:   impression.Auto,
			Identity: impression.User,
		}}},
		Definitions: OnDefinitions{OnChange: Keep},
		Output:      Output{Format: JSON},
		Registry:    SchemaRegistry{URLs: []string{"http://127.0.0.1:8081"}, TLS: &TLS{}, Timeout: 30 * time.Second},
		State:       State{Dir: "traitstream-data", Memory: 256 << 20, KeepRevoked: time.Hour, KeepForgotten: 60 * day},
		Processor: Processor{
			CommitInterval: 100 * time.Millisecond,
			FlushInterval:  30 * time.Second,
			SessionTimeout: 15 * time.Second,
			MaxClockAhead:  10 * time.Minute,
		},
		HTTP: HTTP{Listen: "127.0.0.1:8080"},
	}
}

// complete fills in what follows from other settings.
func (r *reader) complete() {
	c := r.config
	if !r.given("kafka.tls") {
		c.Kafka.TLS = nil
	}
	if !r.given("kafka.sasl") {
		c.Kafka.SASL = nil
	}
	c.Registry.Named = r.given("schema_registry")
	if !r.given("schema_registry.tls") {
		c.Registry.TLS = nil
	}
	if c.Output.Topic == "" {
		c.Output.Topic = c.App + "-traits"
	}
	c.State.Dir = r.absolute(c.State.Dir)
	if c.TraitsGiven = r.given("traits"); !c.TraitsGiven {
		r.defaultTraits()
	}
}
