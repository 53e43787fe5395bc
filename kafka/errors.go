package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// IsRetriable tells whether asking again, or a new client, may mend an error.
func IsRetriable(err error) bool {
	var ke *kerr.Error
	switch {
	case IsAuthorization(err):
		return false
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch),
		errors.Is(err, kerr.InvalidTxnState), errors.Is(err, kerr.UnknownMemberID),
		errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.RebalanceInProgress),
		errors.Is(err, kerr.InvalidProducerIDMapping), errors.Is(err, kerr.TransactionAbortable),
		errors.Is(err, kerr.OperationNotAttempted), errors.Is(err, kerr.OutOfOrderSequenceNumber),
		errors.Is(err, kerr.UnknownProducerID), errors.Is(err, kerr.UnknownServerError), errors.Is(err, kerr.ConcurrentTransactions):
		return true
	case errors.As(err, &ke):
		return ke.Retriable
	}
	return errors.Is(err, context.DeadlineExceeded) || IsNetwork(err)
}

// IsAuthorization tells whether the brokers refuse something to this user.
func IsAuthorization(err error) bool {
	for _, refused := range []error{
		kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed,
		kerr.ClusterAuthorizationFailed, kerr.SaslAuthenticationFailed,
	} {
		if errors.Is(err, refused) {
			return true
		}
	}
	return false
}

// IsNetwork tells whether an error is a connection's: the broker may come back.
// An error of the disk must not pass for one, though both end in an errno.
func IsNetwork(err error) bool {
	var op *net.OpError
	var name *net.DNSError
	return errors.As(err, &op) || errors.As(err, &name) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		kgo.IsRetryableBrokerErr(err) || isUnknownBroker(err)
}

// isUnknownBroker tells whether a request was for a broker that has left the
// cluster's metadata, as a dead one does. The client keeps that error to itself.
func isUnknownBroker(err error) bool { return strings.Contains(err.Error(), "unknown broker") }
