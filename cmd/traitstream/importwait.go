package main

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/kafka"
)

// arrivals counts the records that the brokers have taken, and keeps why they
// could not be reached. It is a hook of the import's client.
type arrivals struct {
	topic  string
	n      atomic.Int64 // of the topic
	others atomic.Int64
	failed atomic.Pointer[error] // of the last attempt to connect; nil: it went well
}

// OnProduceRecordUnbuffered is called by the client for each record.
func (a *arrivals) OnProduceRecordUnbuffered(r *kgo.Record, err error) {
	switch {
	case err != nil:
	case r.Topic == a.topic:
		a.n.Add(1)
	default:
		a.others.Add(1)
	}
}

// OnBrokerConnect is called by the client for each attempt to connect.
func (a *arrivals) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil {
		a.failed.Store(nil)
		return
	}
	a.failed.Store(&err)
}

// stall notices that nothing arrives though something is on its way.
type stall struct {
	arrived *arrivals
	client  *kgo.Client
	log     *slog.Logger
	before  int64 // records that had arrived at the last look
}

// watch looks now and then until ctx ends.
func (s *stall) watch(ctx context.Context) {
	tick := time.NewTicker(logInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.look()
		}
	}
}

// look logs that nothing has arrived since the last look.
func (s *stall) look() {
	now := s.arrived.n.Load() + s.arrived.others.Load()
	waiting := s.client.BufferedProduceRecords()
	if now == s.before && waiting > 0 {
		attributes := []any{"records", waiting}
		if err := s.arrived.failed.Load(); err != nil {
			attributes = append(attributes, "error", kafka.Explain(*err))
		}
		s.log.Warn("waiting for the brokers to take what was read", attributes...)
	}
	s.before = now
}
