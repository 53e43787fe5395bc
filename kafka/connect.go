package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// connectTimeout bounds Connect.
const connectTimeout = 10 * time.Second

// Connect checks within 10 s that one of the client's brokers answers, takes
// its credentials and is of Kafka 2.5 or newer. It tries each broker once and
// waits for none, so that a wrong address is told at once; the error names the
// addresses and what to check.
func Connect(ctx context.Context, cl *kgo.Client) error {
	return connect(ctx, cl, connectTimeout)
}

func connect(ctx context.Context, cl *kgo.Client, timeout time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// A broker that accepts and then says nothing keeps Ping beyond its context,
	// for 10 s or until the client is closed.
	answer := make(chan error, 1)
	go func() {
		answer <- ping(limited, cl)
	}()
	var err error
	select {
	case err = <-answer:
	case <-limited.Done():
		err = limited.Err()
	}
	if err == nil {
		return nil
	}
	switch {
	case ctx.Err() != nil:
	case isTimeout(err):
		err = &advised{errors.New("no answer in time"), adviseSilence}
	case errors.Is(err, io.EOF): // the client's own text is a guess at the cause
		err = &advised{errors.New("the broker closed the connection"), adviseSpeak}
	}
	seeds, _ := cl.OptValue(kgo.SeedBrokers).([]string)
	return fmt.Errorf("connecting to Kafka at %s: %w", strings.Join(seeds, ", "), Explain(err))
}

func ping(ctx context.Context, cl *kgo.Client) error {
	err := cl.Ping(ctx)
	if err == nil {
		return checkVersion(ctx, cl)
	}
	if adviceFor(err) == "" && !isTimeout(err) {
		return &advised{err, adviseSpeak} // an answer that is not Kafka's
	}
	return err
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// checkVersion refuses brokers whose offset commits do not carry the group's
// generation (KIP-447): there a member that was expelled could still commit.
func checkVersion(ctx context.Context, cl *kgo.Client) error {
	resp, err := apiVersions(ctx, cl)
	if err != nil {
		return err
	}
	commit := kmsg.NewPtrTxnOffsetCommitRequest().Key()
	for _, k := range resp.ApiKeys {
		if k.ApiKey == commit && k.MaxVersion >= 3 {
			return nil
		}
	}
	return errors.New("the broker is too old: traitstream needs Kafka 2.5 or newer")
}

// TransactionVersion returns the level of the cluster's feature
// transaction.version: 0 for a cluster without it, 2 for transactions that take
// in partitions and groups by themselves (KIP-890). A broker may not have heard
// of a level that was raised a moment ago.
func TransactionVersion(ctx context.Context, cl *kgo.Client) (int16, error) {
	resp, err := apiVersions(ctx, cl)
	if err != nil {
		return 0, err
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			return f.MaxVersionLevel, nil
		}
	}
	return 0, nil
}

func apiVersions(ctx context.Context, cl *kgo.Client) (*kmsg.ApiVersionsResponse, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "traitstream", "1"
	return req.RequestWith(ctx, cl)
}
