package client

import (
	"context"
	"net/http"
	"time"
)

// Config configures an Authenticator.
type Config struct {
	// Issuer is the only audience an assertion may name. Required.
	Issuer string
	// TokenEndpoint is accepted as audience for clients that AllowTokenEndpointAudience.
	TokenEndpoint string
	// Clients finds registrations. Required.
	Clients Source
	// Replay remembers assertions. nil: private_key_jwt is not offered.
	Replay ReplayStore
	// Limit is asked after a failed authentication and, before the next, may answer false to have the
	// caller told to wait (429). nil: ten failures a minute for each pair of client and address.
	Limit func(ctx context.Context, clientID, remoteAddr string) bool
}

// Authenticator authenticates clients at token, PAR, introspection and revocation endpoints.
type Authenticator struct{ cfg Config }

// NewAuthenticator reports all problems of the configuration at once.
func NewAuthenticator(cfg Config) (*Authenticator, error) { panic("stub") }

// Credentials is what a request says about who sends it.
type Credentials struct {
	Authorization       []string // all values of the header
	ClientID            string
	ClientSecret        string
	HasClientSecret     bool
	ClientAssertionType string
	ClientAssertion     string
	HasClientAssertion  bool
	RemoteAddr          string
}

// Form is the read side of a parsed form.
type Form interface {
	Get(name string) string
	Has(name string) bool
}

// CredentialsFrom collects the credentials of a request whose body is form.
func CredentialsFrom(r *http.Request, form Form) Credentials { panic("stub") }

// Authenticated is a client that proved who it is (or is public and said so).
type Authenticated struct {
	*Client
	AMR string // client_amr: the method that was verified
}

// Authenticate verifies credentials against the client's registered method, and only that.
// Every failure is an invalid_client or invalid_request *portner.Error, the same for unknown clients,
// wrong methods and wrong secrets; storage faults come through as they are.
func (a *Authenticator) Authenticate(ctx context.Context, c Credentials, now time.Time) (Authenticated, error) {
	panic("stub")
}

// Methods returns the methods that work, for metadata.
func (a *Authenticator) Methods() []string { panic("stub") }
