package config

import (
	"fmt"
	"log/slog"
)

// The SASL mechanisms.
const (
	plain       = "PLAIN"
	scramSHA256 = "SCRAM-SHA-256"
	scramSHA512 = "SCRAM-SHA-512"
	oauthBearer = "OAUTHBEARER"
	awsIAM      = "AWS_MSK_IAM"
)

var mechanisms = []string{plain, scramSHA256, scramSHA512, oauthBearer, awsIAM}

// SASL tells who connects. OAUTHBEARER has a Token, every other mechanism User
// and Password; those of AWS_MSK_IAM are an access key and its secret key, and
// without them the environment tells. However it is printed or logged, its secrets
// are not.
type SASL struct {
	Mechanism string
	User      string
	Password  string `json:"-"`
	Token     string `json:"-"`
}

// String returns the mechanism and the user.
func (s SASL) String() string {
	return fmt.Sprintf("{%s user:%q secret:***}", s.Mechanism, s.User)
}

// Format prints String, whatever the verb.
func (s SASL) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, s.String())
}

// LogValue returns what String does.
func (s SASL) LogValue() slog.Value {
	return slog.StringValue(s.String())
}
