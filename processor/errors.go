package processor

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"traitstream/schemas/avro"
	"traitstream/state"
)

// retriable tells whether new clients in the old seat may mend an error. A seat
// that somebody else has taken is not: two would fence each other for ever.
func retriable(err error) bool {
	var ke *kerr.Error
	switch {
	case errors.Is(err, errSeatTaken), errors.Is(err, kerr.FencedInstanceID), isAuthorization(err):
		return false
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch),
		errors.Is(err, kerr.InvalidTxnState), errors.Is(err, kerr.UnknownMemberID),
		errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.RebalanceInProgress),
		errors.Is(err, kerr.InvalidProducerIDMapping), errors.Is(err, kerr.TransactionAbortable),
		errors.Is(err, kerr.OperationNotAttempted), errors.Is(err, kerr.OutOfOrderSequenceNumber),
		errors.Is(err, kerr.UnknownProducerID), errors.Is(err, kerr.UnknownServerError), errors.Is(err, kerr.ConcurrentTransactions),
		errors.Is(err, errRelearned), errors.Is(err, errRecreated), errors.Is(err, errUnread), errors.Is(err, errNotOwner), errors.Is(err, state.ErrTaken),
		errors.Is(err, avro.ErrAway):
		return true
	case errors.As(err, &ke):
		return ke.Retriable
	}
	return isClientTrouble(err)
}

// isClientTrouble tells whether an error that no broker has told may pass with a
// new client.
func isClientTrouble(err error) bool {
	return errors.Is(err, errProducing) || errors.Is(err, context.DeadlineExceeded) || isNetwork(err)
}

// errProducing is around what the client says of a record that it has given up:
// nothing but a broker's word on the record itself is beyond a new client.
var errProducing = errors.New("producing")

// isAuthorization tells whether the brokers refuse something to this user.
func isAuthorization(err error) bool {
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

// isNetwork tells whether an error is a connection's: the broker may come back.
// An error of the disk must not pass for one, though both end in an errno.
func isNetwork(err error) bool {
	var op *net.OpError
	var name *net.DNSError
	return errors.As(err, &op) || errors.As(err, &name) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		kgo.IsRetryableBrokerErr(err) || isUnknownBroker(err)
}

// isUnknownBroker tells whether a request was for a broker that has left the
// cluster's metadata, as a dead one does. The client keeps that error to itself.
func isUnknownBroker(err error) bool { return strings.Contains(err.Error(), "unknown broker") }
