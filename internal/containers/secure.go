package containers

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
)

// keyStore is where a node finds its certificate and key.
const keyStore = "/mnt/traitstream-tests.pem"

// secure lets a node have a listener SECURE and look at ACLs; who comes without a
// password is a super user. It returns who has signed the node's certificate.
func (n *node) secure(t *testing.T) (ca []byte) {
	t.Helper()
	ca, chain := certificate(t)
	n.files = append(n.files, testcontainers.ContainerFile{Reader: bytes.NewReader(chain), ContainerFilePath: keyStore, FileMode: 0o644})
	const listener = "KAFKA_LISTENER_NAME_SECURE_" // as Kafka's image reads it: _ is a dot, ___ a dash
	for name, value := range map[string]string{
		listener + "SSL_KEYSTORE_TYPE":                  "PEM",
		listener + "SSL_KEYSTORE_LOCATION":              keyStore,
		listener + "SASL_ENABLED_MECHANISMS":            "SCRAM-SHA-512",
		listener + "SCRAM___SHA___512_SASL_JAAS_CONFIG": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
		"KAFKA_AUTHORIZER_CLASS_NAME":                   "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"KAFKA_SUPER_USERS":                             "User:ANONYMOUS",
	} {
		n.env[name] = value
	}
	return ca
}

// certificate makes a certificate for 127.0.0.1, with its key and who has signed
// it, all as PEM.
func certificate(t *testing.T) (ca, chain []byte) {
	t.Helper()
	signer, leaf := newKey(t), newKey(t)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "traitstream tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	host := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	ca = encode(t, "CERTIFICATE")(x509.CreateCertificate(rand.Reader, root, root, signer.Public(), signer))
	own := encode(t, "CERTIFICATE")(x509.CreateCertificate(rand.Reader, host, root, leaf.Public(), signer))
	key := encode(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(leaf))
	return ca, bytes.Join([][]byte{key, own, ca}, nil)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(t *testing.T, kind string) func(der []byte, err error) []byte {
	t.Helper()
	return func(der []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
}
