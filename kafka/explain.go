package kafka

import (
	"crypto/tls"
	"errors"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	adviseReach = "check that a broker runs there and that kafka.brokers names it"
	adviseTrust = "check kafka.tls: ca must be the authority that signed the broker's certificate, " +
		"and kafka.brokers must name the broker as the certificate does"
	adviseSilence = "check that a broker runs there, that kafka.brokers names it and that kafka.tls fits this listener"
	adviseAlert   = "check kafka.tls: the broker may want a client certificate (cert and key)"
	adviseSpeak   = "check that kafka.tls and kafka.sasl fit this listener, user and password too"
	adviseLogin   = "check user, password and mechanism in kafka.sasl"
)

// byCode says what to check about errors that brokers send.
var byCode = map[*kerr.Error]string{
	kerr.SaslAuthenticationFailed: adviseLogin,
	kerr.UnsupportedSaslMechanism: "check kafka.sasl.mechanism: the broker does not offer this one",
	kerr.IllegalSaslState:         adviseSpeak,
	kerr.TopicAuthorizationFailed: "allow this user DescribeConfigs and Read on the sources, for import and dlq replay Write too, " +
		"and Create, Delete, DescribeConfigs, Read and Write on the program's own topics",
	kerr.GroupAuthorizationFailed: "allow this user Read on the group that is named as app",
	kerr.ClusterAuthorizationFailed: "allow this user Create and Write on the program's own topics; " +
		"brokers before 2.8 want IdempotentWrite on the cluster too",
	kerr.TransactionalIDAuthorizationFailed: "allow this user Write on the transactional ids that begin with app and a dash",
	kerr.PolicyViolation:                    "check the cluster's policy for topics",
	kerr.InvalidReplicationFactor:           "check kafka.replication_factor: the cluster may have fewer brokers",
}

// advised is an error with what the user should check.
type advised struct {
	err    error
	advice string
}

func (e *advised) Error() string { return e.err.Error() + "; " + e.advice }
func (e *advised) Unwrap() error { return e.err }

// Explain adds to a well-known error of network, TLS, login or permission what
// the user should check. It returns any other error as it is, and so one that
// is already explained.
func Explain(err error) error {
	if done := (*advised)(nil); err == nil || errors.As(err, &done) {
		return err
	}
	if advice := adviceFor(err); advice != "" {
		return &advised{err, advice}
	}
	return err
}

func adviceFor(err error) string {
	var (
		code    *kerr.Error
		notTLS  tls.RecordHeaderError
		untrust *tls.CertificateVerificationError
		network *net.OpError
	)
	switch {
	case errors.As(err, &code):
		return byCode[code]
	case errors.Is(err, io.EOF), errors.As(err, &notTLS):
		return adviseSpeak
	case errors.As(err, &untrust):
		return adviseTrust
	case errors.As(err, &network) && network.Op == "remote error": // a TLS alert
		return adviseAlert
	case errors.As(err, &network):
		return adviseReach
	}
	return ""
}
