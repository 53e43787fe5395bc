package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"traitstream/config"
	"traitstream/kafka/aws"
)

// dialTimeout leaves time for a second broker within connectTimeout.
const dialTimeout = 4 * time.Second

// Options returns what every client of these brokers has in common. Files of
// c.TLS are read here; an error names the setting to check.
//
// A client with these options waits for brokers that are away: records are
// produced and fetched again without limit, and so is the group's session. Any
// other request ends after 30 s, franz-go's default, so that a command can say
// what is wrong; a loop issues it again.
func Options(c config.Kafka) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID("traitstream"),
		kgo.DialTimeout(dialTimeout),
		// A broker that stops may close a fresh connection; Connect has already
		// told this from a wrong TLS or SASL setting.
		kgo.AlwaysRetryEOF(),
		// The program has metrics of its own.
		kgo.DisableClientMetrics(),
	}
	if c.TLS != nil {
		t, err := TLS("kafka.tls", *c.TLS)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(t))
	}
	if c.SASL != nil {
		m, err := mechanism(*c.SASL)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

// TLS reads the files of a section of the configuration, by whose name an error
// calls them.
func TLS(section string, c config.TLS) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("reading %s.ca: %w", section, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading %s.ca: %s holds no certificate in PEM form", section, c.CA)
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		return nil, fmt.Errorf("%s needs both cert and key, or neither", section)
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("reading %s.cert and %s.key: %w", section, section, err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

func mechanism(c config.SASL) (sasl.Mechanism, error) {
	switch c.Mechanism {
	case "OAUTHBEARER":
		if c.Token == "" {
			return nil, errors.New("kafka.sasl: OAUTHBEARER needs a token")
		}
		return oauth.Auth{Token: c.Token}.AsMechanism(), nil
	case "AWS_MSK_IAM":
		m, err := aws.Mechanism(c.User, c.Password)
		if err != nil {
			return nil, fmt.Errorf("kafka.sasl: AWS_MSK_IAM: %w", err)
		}
		return m, nil
	}
	if c.User == "" || c.Password == "" {
		return nil, fmt.Errorf("kafka.sasl: %s needs user and password", c.Mechanism)
	}
	switch c.Mechanism {
	case "PLAIN":
		return plain.Auth{User: c.User, Pass: c.Password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("kafka.sasl.mechanism %q is unknown: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM", c.Mechanism)
}
