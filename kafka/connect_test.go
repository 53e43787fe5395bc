package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"traitstream/config"
)

// selfSigned returns a certificate for 127.0.0.1 and writes it, and its key, to
// PEM files.
func selfSigned(t *testing.T) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "broker"},
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, certFile, "CERTIFICATE", der)
	writePEM(t, keyFile, "PRIVATE KEY", keyDER)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, certFile, keyFile
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func startCluster(t *testing.T, opts ...kfake.Opt) []string {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

func TestConnect(t *testing.T) {
	cert, certFile, keyFile := selfSigned(t)
	_, otherCA, _ := selfSigned(t)
	wantsCert := &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert}
	plain := startCluster(t)
	secret := startCluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}))
	mutual := startCluster(t, kfake.TLS(wantsCert))
	login := startCluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "app", "secret"),
		kfake.Superuser("SCRAM-SHA-256", "app", "secret"), kfake.Superuser("SCRAM-SHA-512", "app", "secret"))
	scram := startCluster(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "app", "secret"))
	user := func(mechanism, password string) *config.SASL {
		return &config.SASL{Mechanism: mechanism, User: "app", Password: password}
	}
	closed := closedAddress(t)

	tests := map[string]struct {
		c    config.Kafka
		want string // of the error; empty: none
	}{
		"plain":             {config.Kafka{Brokers: plain}, ""},
		"second address":    {config.Kafka{Brokers: []string{closed, plain[0]}}, ""},
		"tls":               {config.Kafka{Brokers: secret, TLS: &config.TLS{CA: certFile}}, ""},
		"mutual tls":        {config.Kafka{Brokers: mutual, TLS: &config.TLS{CA: certFile, Cert: certFile, Key: keyFile}}, ""},
		"PLAIN":             {config.Kafka{Brokers: login, SASL: user("PLAIN", "secret")}, ""},
		"SCRAM-SHA-256":     {config.Kafka{Brokers: login, SASL: user("SCRAM-SHA-256", "secret")}, ""},
		"SCRAM-SHA-512":     {config.Kafka{Brokers: login, SASL: user("SCRAM-SHA-512", "secret")}, ""},
		"nothing listens":   {config.Kafka{Brokers: []string{closed}}, adviseReach},
		"unknown host":      {config.Kafka{Brokers: []string{"broker.invalid:9092"}}, adviseReach},
		"tls for plain":     {config.Kafka{Brokers: plain, TLS: &config.TLS{}}, adviseSilence},
		"plain for tls":     {config.Kafka{Brokers: secret}, adviseSpeak},
		"another authority": {config.Kafka{Brokers: secret, TLS: &config.TLS{CA: otherCA}}, adviseTrust},
		"system's CAs":      {config.Kafka{Brokers: secret, TLS: &config.TLS{}}, adviseTrust},
		"no certificate":    {config.Kafka{Brokers: mutual, TLS: &config.TLS{CA: certFile}}, adviseAlert},
		"wrong password":    {config.Kafka{Brokers: login, SASL: user("PLAIN", "guess")}, adviseSpeak},
		"wrong for scram":   {config.Kafka{Brokers: login, SASL: user("SCRAM-SHA-512", "guess")}, adviseSpeak},
		"other mechanism":   {config.Kafka{Brokers: scram, SASL: user("PLAIN", "secret")}, adviseSpeak},
		"no login":          {config.Kafka{Brokers: login}, adviseSpeak},
		"not Kafka":         {config.Kafka{Brokers: []string{greeter(t)}}, adviseSpeak},
		"too old": {config.Kafka{Brokers: startCluster(t, kfake.MaxVersions(kversion.V2_4_0()))},
			"needs Kafka 2.5 or newer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			opts, err := Options(tt.c)
			if err != nil {
				t.Fatal(err)
			}
			cl, err := kgo.NewClient(opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			timeout := 10 * time.Second
			if tt.want == adviseSilence {
				timeout = 100 * time.Millisecond
			}
			err = connect(limit(t), cl, timeout)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.c.Brokers[0]) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// greeter returns the address of a server that speaks first, and not Kafka's
// language.
func greeter(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("220 mail.example.org ESMTP\r\n"))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-served })
	return l.Addr().String()
}

// closedAddress returns an address that nothing listens on.
func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestConnectIsBounded(t *testing.T) {
	// The kernel accepts the connection, but no one ever answers.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	cl := newClient(t, []string{silent.Addr().String()})
	start := time.Now()
	err = connect(limit(t), cl, 50*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "no answer in time; "+adviseSilence) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(limit(t))
	cancel()
	if err := Connect(ctx, cl); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestOptionsRefuse(t *testing.T) {
	_, certFile, _ := selfSigned(t)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		c    config.Kafka
		want string
	}{
		"no file":     {config.Kafka{TLS: &config.TLS{CA: "/nowhere/ca.pem"}}, "kafka.tls.ca"},
		"no PEM":      {config.Kafka{TLS: &config.TLS{CA: empty}}, "holds no certificate"},
		"no key":      {config.Kafka{TLS: &config.TLS{Cert: certFile}}, "both cert and key"},
		"key is none": {config.Kafka{TLS: &config.TLS{Cert: certFile, Key: certFile}}, "kafka.tls.key"},
		"mechanism":   {config.Kafka{SASL: &config.SASL{Mechanism: "GSSAPI", User: "u", Password: "p"}}, `"GSSAPI" is unknown`},
		"no password": {config.Kafka{SASL: &config.SASL{Mechanism: "PLAIN", User: "u"}}, "needs user and password"},
		"no token":    {config.Kafka{SASL: &config.SASL{Mechanism: "OAUTHBEARER"}}, "needs a token"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Options(tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestOAuthSendsTheToken(t *testing.T) {
	m, err := mechanism(config.SASL{Mechanism: "OAUTHBEARER", Token: "abc.def"})
	if err != nil {
		t.Fatal(err)
	}
	_, first, err := m.Authenticate(t.Context(), "broker:9092")
	if err != nil || m.Name() != "OAUTHBEARER" || !strings.Contains(string(first), "auth=Bearer abc.def") {
		t.Errorf("%s: %q, %v", m.Name(), first, err)
	}
}

func TestExplain(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"login":       {kerr.SaslAuthenticationFailed, adviseLogin},
		"mechanism":   {kerr.UnsupportedSaslMechanism, "check kafka.sasl.mechanism"},
		"topic":       {kerr.TopicAuthorizationFailed, "allow this user Describe"},
		"group":       {kerr.GroupAuthorizationFailed, "the group that is named as app"},
		"transaction": {kerr.TransactionalIDAuthorizationFailed, "transactional ids"},
		"wrapped":     {fmt.Errorf("committing: %w", kerr.GroupAuthorizationFailed), "committing: GROUP_AUTHORIZATION_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Explain(tt.err)
			if !strings.Contains(got.Error(), tt.want) || !errors.Is(got, tt.err) {
				t.Errorf("got %v", got)
			}
			if again := Explain(fmt.Errorf("outer: %w", got)); again.Error() != "outer: "+got.Error() {
				t.Errorf("explained twice: %v", again)
			}
		})
	}
	if err := errors.New("other"); !errors.Is(Explain(err), err) || Explain(err).Error() != "other" {
		t.Errorf("changed %v", Explain(err))
	}
	if Explain(nil) != nil {
		t.Error("made an error of nil")
	}
}

// The level of transactions is that of the cluster, not what its brokers could do.
func TestTransactionVersion(t *testing.T) {
	for name, c := range map[string]struct {
		opts  []kfake.Opt
		set   int16 // where not negative
		level int16
	}{
		"a new cluster":               {nil, -1, 2},
		"upgraded, but not its level": {nil, 1, 1},
		"level 0":                     {nil, 0, 0},
		"without the feature":         {[]kfake.Opt{kfake.MaxVersions(kversion.V3_7_0())}, -1, 0},
		"without features":            {[]kfake.Opt{kfake.MaxVersions(kversion.V2_5_0())}, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cl := newClient(t, startCluster(t, c.opts...))
			if c.set >= 0 {
				change := kadm.FeatureUpdate{Feature: "transaction.version", MaxVersionLevel: c.set, UpgradeType: 2}
				if updated, err := kadm.NewClient(cl).UpdateFeatures(limit(t), false, change); err != nil || updated.Error() != nil {
					t.Fatal(err, updated.Error())
				}
			}
			if level, err := TransactionVersion(limit(t), cl); err != nil || level != c.level {
				t.Errorf("the level is %d, %v, want %d", level, err, c.level)
			}
		})
	}
}
