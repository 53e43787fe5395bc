// Package workload makes the input that all contestants are measured on, and
// knows what must come of it.
//
// It is a function of its parameters alone: the same events in the same order on
// every machine, so a topic is loaded once for all contestants, and an output is
// held against a digest that was made while loading.
package workload

import (
	"errors"
	"fmt"
)

// Params say what an input is like. Shares are of all events, 0 to 1.
type Params struct {
	Events int64 // at least 1
	// Warm is how many events come before the steady state, in which no key is
	// seen for the first time; 0: there is none.
	Warm  int64
	Users int
	Flags int
	// Skew is the exponent of the Zipf distribution of users, above 1; 0: all
	// users are alike. Sweep takes each key once before that.
	Skew  float64
	Sweep bool

	Flips      float64 // share that changes the treatment of its key
	Duplicates float64 // share that repeats a recent event
	Late       float64 // share that is up to a minute late
	Unkeyed    float64 // share of records without a key, in any partition
	Batch      int     // impressions in a record, as an array; 1: no array
	Shape      Shape
	Partitions int32
	Seed       uint64
}

// Shape is what an event looks like.
type Shape string

// The shapes: a track event of Segment, of some 700 bytes, and an impression of
// Split's webhook, of some 300.
const (
	Segment Shape = "segment"
	Webhook Shape = "webhook"
)

// Default is the input of the headline figures.
func Default() Params {
	return Params{
		Events: 5_000_000, Users: 1_000_000, Flags: 20, Skew: 1.1,
		Flips: 0.05, Duplicates: 0.01, Late: 0.03, Batch: 1, Shape: Segment, Partitions: 6, Seed: 1,
	}
}

// Check returns what is wrong with the parameters.
func (p Params) Check() error {
	switch {
	case p.Events < 1 || p.Users < 1 || p.Flags < 1 || p.Batch < 1 || p.Partitions < 1:
		return errors.New("events, users, flags, batch and partitions must be at least 1")
	case p.Warm < 0 || p.Warm > p.Events:
		return fmt.Errorf("warm must be between 0 and the number of events, %d", p.Events)
	case p.Skew != 0 && p.Skew <= 1:
		return errors.New("skew must be above 1, or 0 for none")
	case p.Sweep && p.Skew != 0:
		return errors.New("a sweep has no skew")
	case p.Shape != Segment && p.Shape != Webhook:
		return fmt.Errorf("shape is %s or %s", Segment, Webhook)
	case int64(p.Users)*int64(p.Flags) > 1<<31:
		return errors.New("users times flags is more than 2^31 keys")
	case p.Events > 1<<32:
		return errors.New("there is a millisecond for each event, and no more than 2^32 of them")
	}
	return nil
}

// Ordered tells whether each user's events stand in one partition in their
// order: all outputs are then known, and not only the last values.
func (p Params) Ordered() bool { return p.Unkeyed == 0 && p.Batch == 1 }

// Scaled returns the parameters of a smaller or larger input.
func (p Params) Scaled(by float64) Params {
	p.Users = max(1, int(float64(p.Users)*by))
	p.Events, p.Warm = max(1, int64(float64(p.Events)*by)), int64(float64(p.Warm)*by)
	return p
}
