package kafka

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"traitstream/config"
)

// mskBroker is as much of a broker of Amazon MSK as a login takes. It lets in who
// has the access key, and whose host it is.
type mskBroker struct {
	accessKey string
	ln        net.Listener
}

func startMSK(t *testing.T, accessKey string) *mskBroker {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &mskBroker{accessKey, ln}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			b.serve(conn) // one connection at a time will do
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return b
}

// serve answers until the client goes.
func (b *mskBroker) serve(conn net.Conn) {
	defer conn.Close()
	for {
		size := make([]byte, 4)
		if _, err := io.ReadFull(conn, size); err != nil {
			return
		}
		text := make([]byte, binary.BigEndian.Uint32(size))
		if _, err := io.ReadFull(conn, text); err != nil {
			return
		}
		req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(text)))
		if req == nil {
			return
		}
		req.SetVersion(int16(binary.BigEndian.Uint16(text[2:])))
		body := text[10+binary.BigEndian.Uint16(text[8:]):] // behind the client's name
		if req.IsFlexible() {
			body = body[1:] // no tags
		}
		if err := req.ReadFrom(body); err != nil {
			return
		}
		answer := append(make([]byte, 4), text[4:8]...)
		if req.IsFlexible() && req.Key() != int16(kmsg.ApiVersions) {
			answer = append(answer, 0)
		}
		answer = b.answer(req).AppendTo(answer)
		binary.BigEndian.PutUint32(answer, uint32(len(answer)-4))
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

func (b *mskBroker) answer(req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	switch resp := resp.(type) {
	case *kmsg.ApiVersionsResponse:
		for key, most := range map[kmsg.Key]int16{kmsg.Metadata: 12, kmsg.SASLHandshake: 1, kmsg.ApiVersions: 3, kmsg.SASLAuthenticate: 2} {
			resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: int16(key), MaxVersion: most})
		}
	case *kmsg.SASLHandshakeResponse:
		resp.SupportedMechanisms = []string{"AWS_MSK_IAM"}
		if handshake, ok := req.(*kmsg.SASLHandshakeRequest); !ok || handshake.Mechanism != "AWS_MSK_IAM" {
			resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		}
	case *kmsg.SASLAuthenticateResponse:
		var login map[string]string
		if r, ok := req.(*kmsg.SASLAuthenticateRequest); ok && json.Unmarshal(r.SASLAuthBytes, &login) == nil &&
			strings.HasPrefix(login["x-amz-credential"], b.accessKey+"/") && login["host"] == "127.0.0.1" && login["x-amz-signature"] != "" {
			resp.SASLAuthBytes = []byte(`{"version":"2020_10_22","request-id":"1"}`)
		} else {
			resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		}
	}
	return resp
}

// The whole exchange, with keys of the configuration and of the environment.
func TestLoginByIAM(t *testing.T) {
	b := startMSK(t, "AKIAAPP")
	t.Setenv("AWS_REGION", "eu-west-1") // an address tells none
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAAPP")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
	for _, c := range []struct {
		user string
		want error
	}{{"", nil}, {"AKIAAPP", nil}, {"AKIAOTHER", kerr.SaslAuthenticationFailed}} {
		s := config.SASL{Mechanism: "AWS_MSK_IAM", User: c.user}
		if c.user != "" {
			s.Password = "s3cret"
		}
		opts, err := Options(config.Kafka{Brokers: []string{b.ln.Addr().String()}, SASL: &s})
		if err != nil {
			t.Fatal(err)
		}
		cl, err := kgo.NewClient(opts...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err = cl.Request(ctx, kmsg.NewPtrMetadataRequest())
		cancel()
		cl.Close()
		if !errors.Is(err, c.want) {
			t.Errorf("as %q: %v, want %v", c.user, err, c.want)
		}
	}
}

func TestIAMWithoutCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
	_, err := Options(config.Kafka{SASL: &config.SASL{Mechanism: "AWS_MSK_IAM"}})
	if err == nil || !strings.Contains(err.Error(), "kafka.sasl: AWS_MSK_IAM: no credentials") {
		t.Errorf("%v", err)
	}
}
