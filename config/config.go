// Package config holds what a user may set: one YAML file, with environment
// variables over it. Reading is strict: an unknown key, a wrong type or a value
// out of range is an error, and all problems are reported at once with their
// file, line and column. An empty file is a complete configuration.
package config

import (
	"time"

	"traitstream/impression"
	"traitstream/trait"
)

// Config is a whole configuration, defaults filled in.
type Config struct {
	App       string
	Kafka     Kafka
	Sources   []Source
	Traits    []trait.Definition
	Output    Output
	State     State
	Processor Processor
	HTTP      HTTP
}

// Kafka tells how to reach the brokers.
type Kafka struct {
	Brokers           []string
	TLS               *TLS  // nil: plain text
	SASL              *SASL // nil: none
	ReplicationFactor int16 // of topics that are created; -1: the broker's default
}

// TLS holds file names, absolute or empty. Without CA the system's are used.
type TLS struct {
	CA, Cert, Key string
}

// SASL mechanisms are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER.
type SASL struct {
	Mechanism      string
	User, Password string
	Token          string // of OAUTHBEARER
}

// Source is a topic to read and where a partition without a committed offset
// starts.
type Source struct {
	impression.Source
	From From
}

// From is a starting point: the earliest offset, the latest, or the first
// record not before At.
type From struct {
	Latest bool
	At     time.Time // zero: none
}

// Output is the traits topic.
type Output struct {
	Topic      string
	Partitions int32             // number of tasks; 0: as many as the largest source has
	Config     map[string]string // of the topic, when it is created
}

// State is the local store.
type State struct {
	Dir string // absolute
}

// Processor holds the settings of the loop.
type Processor struct {
	Workers        int // 0: one per core
	CommitInterval time.Duration
	SessionTimeout time.Duration
	LeaveOnStop    bool
	MaxClockAhead  time.Duration
}

// HTTP is the listener of health and metrics.
type HTTP struct {
	Listen    string // host:port; empty: none
	Advertise string
}
