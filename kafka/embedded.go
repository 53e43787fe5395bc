package kafka

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// EmbeddedOptions tell how the embedded broker runs.
type EmbeddedOptions struct {
	// Dir keeps the data over restarts; it is created where missing. Empty:
	// the data is in memory and ends with the broker.
	Dir string
	// Listen is host:port, where port 0 is a free one. Empty: a free port of
	// 127.0.0.1. Clients are sent to this very address.
	Listen string
}

// Embedded is a Kafka broker inside this process, for trying and for tests. It
// understands transactions and groups, but writes what it is given without
// waiting for the disk and is no place for production data.
type Embedded struct {
	cluster *kfake.Cluster
	lock    *os.File // nil without a folder
	closing sync.Once
}

// StartEmbedded starts a broker. Errors tell an address that is in use and a
// folder that another process has open.
func StartEmbedded(o EmbeddedOptions) (*Embedded, error) {
	e := &Embedded{}
	listen := o.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID(clusterID()),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, listen) }),
		kfake.BrokerConfigs(map[string]string{
			// The default of 7 days is applied to compacted topics too, and would
			// take state away.
			"log.retention.ms": "-1",
			// A trial that rests for a month goes on where it stopped.
			"offsets.retention.minutes": "2147483647",
		}),
	}
	if o.Dir != "" {
		var err error
		if e.lock, err = lockDir(o.Dir); err != nil {
			return nil, err
		}
		opts = append(opts, kfake.DataDir(filepath.Join(o.Dir, "log")))
	}
	var err error
	if e.cluster, err = kfake.NewCluster(opts...); err != nil {
		return nil, errors.Join(explainStart(err, listen), e.unlock())
	}
	e.cluster.ControlKey(kmsg.DeleteRecords.Int16(), e.keepLast)
	return e, nil
}

// keepLast spares the last batch of a partition from being deleted: the broker
// on disk knows a partition's end by that batch alone, and would start again at
// offset 0 after a restart.
func (e *Embedded) keepLast(req kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // the order is that of kfake
	for _, t := range req.(*kmsg.DeleteRecordsRequest).Topics {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			info := e.cluster.PartitionInfo(t.Topic, p.Partition)
			if info != nil && info.LogStartOffset < info.HighWatermark && (p.Offset < 0 || p.Offset == info.HighWatermark) {
				p.Offset = info.HighWatermark - 1
			}
		}
	}
	return nil, nil, false
}

func explainStart(err error, listen string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("starting the embedded broker: %s is in use: does a broker run there already? "+
			"Stop it, or choose another address with --embedded-listen", listen)
	}
	return fmt.Errorf("starting the embedded broker: %w", err)
}

// Brokers returns the address to connect to, as a list of one.
func (e *Embedded) Brokers() []string { return e.cluster.ListenAddrs() }

// Close stops the broker and writes what it holds to its folder. Further calls
// do nothing.
func (e *Embedded) Close() error {
	var err error
	e.closing.Do(func() {
		e.cluster.Close()
		err = e.unlock()
	})
	return err
}

func (e *Embedded) unlock() error {
	if e.lock == nil {
		return nil
	}
	return e.lock.Close()
}

// clusterID makes up the id of a new cluster, so that local state notices when
// its broker's data was removed. Data on disk keeps the id of its first start.
func clusterID() string {
	var b [11]byte
	_, _ = rand.Read(b[:]) // never fails
	return "embedded-" + hex.EncodeToString(b[:])
}
