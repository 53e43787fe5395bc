package processor

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"traitstream/kafka"
	"traitstream/schemas/avro"
	"traitstream/state"
)

// retriable tells whether new clients in the old seat may mend an error. A seat
// that somebody else has taken is not: two would fence each other for ever.
func retriable(err error) bool {
	var ke *kerr.Error
	switch {
	case errors.Is(err, errSeatTaken), errors.Is(err, kerr.FencedInstanceID), kafka.IsAuthorization(err):
		return false
	case errors.Is(err, errRelearned), errors.Is(err, errRecreated), errors.Is(err, errUnread), errors.Is(err, errNotOwner),
		errors.Is(err, state.ErrTaken), errors.Is(err, avro.ErrAway):
		return true
	case errors.Is(err, errProducing) && !errors.As(err, &ke):
		return true
	}
	return kafka.IsRetriable(err)
}

// errProducing is around what the client says of a record that it has given up:
// nothing but a broker's word on the record itself is beyond a new client.
var errProducing = errors.New("producing")
