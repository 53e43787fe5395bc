package kafka

import (
	"context"
	"errors"
	"fmt"
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
	limited, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	err := cl.Ping(limited)
	if err == nil {
		err = checkVersion(limited, cl)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = &advised{fmt.Errorf("no answer within %v", connectTimeout), adviseReach}
	}
	seeds, _ := cl.OptValue(kgo.SeedBrokers).([]string)
	return fmt.Errorf("connecting to Kafka at %s: %w", strings.Join(seeds, ", "), Explain(err))
}

// checkVersion refuses brokers whose offset commits do not carry the group's
// generation (KIP-447): there a member that was expelled could still commit.
func checkVersion(ctx context.Context, cl *kgo.Client) error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "traitstream", "1"
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	commit := kmsg.NewPtrTxnOffsetCommitRequest().Key()
	for _, k := range resp.ApiKeys {
		if k.ApiKey == commit && k.MaxVersion >= 3 {
			return nil
		}
	}
	return errors.New("the broker is too old: transactions need Kafka 2.5 or newer")
}
