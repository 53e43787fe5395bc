// Package config holds what a user may set: one YAML file, with environment
// variables over it. An empty file is a complete configuration.
//
// Every key of the file has a path, such as kafka.brokers, by which it is
// called in problems, and but for lists of mappings an environment variable,
// such as TRAITSTREAM_KAFKA_BROKERS, that goes before the file. Inside a text of
// the file ${NAME} stands for a variable, and $$ for $. A variable that is
// empty counts as set.
//
// Reading is strict: an unknown key, a wrong type or a value out of range is a
// [Problem], and all of them are reported at once with their file, line and
// column.
package config

import (
	"slices"
	"time"

	"traitstream/impression"
	"traitstream/trait"
)

// Config is a whole configuration, defaults filled in and checked.
type Config struct {
	App         string // begins the names of group, topics and transactions; 1 to 229 characters
	Kafka       Kafka
	Sources     []Source           // at least one, each of another topic
	Traits      []trait.Definition // at least one
	Set         *trait.Set         // Traits, compiled
	TraitsGiven bool               // else Traits are the default
	Definitions OnDefinitions
	Output      Output
	Registry    SchemaRegistry
	State       State
	Processor   Processor
	HTTP        HTTP
}

// The ends of the names of the program's own topics.
const (
	changelogSuffix   = "-last-seen-changelog"
	inboxSuffix       = "-inbox"
	controlSuffix     = "-control"
	deadLettersSuffix = "-dead-letters"
)

// Group returns the name of the consumer group.
func (c *Config) Group() string { return c.App }

// ChangelogTopic returns the name of the topic that restores the state.
func (c *Config) ChangelogTopic() string { return c.App + changelogSuffix }

// InboxTopic returns the name of the topic of forwarded impressions.
func (c *Config) InboxTopic() string { return c.App + inboxSuffix }

// ControlTopic returns the name of the topic of definitions in force.
func (c *Config) ControlTopic() string { return c.App + controlSuffix }

// DeadLetterTopic returns the name of the topic of what could not be processed.
func (c *Config) DeadLetterTopic() string { return c.App + deadLettersSuffix }

// UsesAvro tells whether something is read or written in Avro.
func (c *Config) UsesAvro() bool {
	return c.Output.Format == Avro ||
		slices.ContainsFunc(c.Sources, func(s Source) bool { return s.Format == impression.Avro })
}

// OnDefinitions tells what run does where its traits are not those in force.
type OnDefinitions struct {
	OnChange string // Keep or Apply
}

// What run does where its traits are not those in force.
const (
	Keep  = "keep"  // it goes on with those in force, and says so
	Apply = "apply" // it puts its own in force, as the command apply does
)

// Kafka tells how to reach the brokers.
type Kafka struct {
	Brokers           []string // at least one, host or host:port
	TLS               *TLS     // nil: plain text
	SASL              *SASL    // nil: none
	ReplicationFactor int16    // of topics that are created, from 1; -1: the broker's default
}

// TLS holds file names, absolute or empty. Without CA the system's are used;
// Cert and Key are there together or not at all.
type TLS struct {
	CA, Cert, Key string
}

// Source is a topic to read and where a partition without a committed offset
// starts. Its format is one of impression.Formats, or impression.Avro.
type Source struct {
	impression.Source
	From From
}

// From is a starting point: the latest offset, the first record not before At,
// or, as the zero From, the earliest offset.
type From struct {
	Latest bool
	At     time.Time // zero: none
}

// The formats of the traits topic.
const (
	JSON = "json"
	Avro = "avro"
)

// Output is the traits topic.
type Output struct {
	Topic      string
	Format     string            // JSON or Avro
	Partitions int32             // number of tasks, to 10,000; 0: as many as the largest source has
	Config     map[string]string // of the topic, when it is created
}

// State is the local store.
type State struct {
	Dir         string        // absolute
	Memory      int64         // for what the store holds of itself in memory, bytes; 32 MiB to 1 TiB
	KeepRevoked time.Duration // how long a task that went elsewhere stays on disk; 0 to 365 days
	// KeepForgotten is how long at least it is remembered that a user was forgotten;
	// 0 to 106751 days.
	KeepForgotten time.Duration
}

// Processor holds the settings of the loop.
type Processor struct {
	Workers        int           // 0: one per core; at most 1024
	CommitInterval time.Duration // 1 ms to 5 s
	FlushInterval  time.Duration // how long last-seen times may be missing in the changelog; 0 to 1 h
	SessionTimeout time.Duration // 6 s to 30 min, which brokers allow by default
	LeaveOnStop    bool          // give up the seat in the group when stopping
	MaxClockAhead  time.Duration // how far an impression may lie after its record; not negative
}

// HTTP is the listener of health and metrics.
type HTTP struct {
	Listen    string // host:port or :port; empty: none
	Advertise string // host:port where others reach this process; empty: not told
	Token     Secret // who shows it may see and change users' data; empty: who is on this machine may
	Pprof     bool   // serve profiles
}
