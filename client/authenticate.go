package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/storage"
)

// Config configures an Authenticator.
type Config struct {
	// Issuer is the only audience an assertion may name. Required.
	Issuer string
	// TokenEndpoint is accepted as audience for clients that AllowTokenEndpointAudience. "": for nobody.
	TokenEndpoint string
	// Clients finds registrations. Required.
	Clients Source
	// Replay remembers assertions. nil: private_key_jwt is not offered.
	Replay ReplayStore
	// Certificates verifies business certificates: those that clients without registered keys sign with
	// (x5c), and those that registered keys came with. nil: such assertions are refused.
	Certificates *businesscert.Verifier
	// Attempts slows down guessing. nil: ten failures a minute for each pair of client and address,
	// counted in this process.
	Attempts AttemptLimiter

	// Logger gets one line for each refusal. nil discards.
	Logger *slog.Logger
	// OnEvent is told of each refusal and of each use of AllowTokenEndpointAudience. nil: nobody.
	OnEvent func(context.Context, portner.Event)
}

// Authenticator authenticates clients at token, PAR, introspection and revocation endpoints.
type Authenticator struct {
	cfg  Config
	log  audit.Log
	keys keyCache
}

// NewAuthenticator reports all problems of the configuration at once.
func NewAuthenticator(cfg Config) (*Authenticator, error) {
	var problems []error
	if cfg.Issuer == "" {
		problems = append(problems, errors.New("client: Config.Issuer is required"))
	}
	if cfg.Clients == nil {
		problems = append(problems, errors.New("client: Config.Clients is required"))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if cfg.Attempts == nil {
		cfg.Attempts = NewAttemptLimit(10, time.Minute)
	}
	return &Authenticator{cfg: cfg, log: audit.Log{Endpoint: "client", Logger: cfg.Logger, OnEvent: cfg.OnEvent}}, nil
}

// Authenticated is a client that proved who it is (or is public and said so).
type Authenticated struct {
	*Client
	AMR string // client_amr: the method that was verified, or the class of the certificate
}

// Methods returns the methods that work, for metadata.
func (a *Authenticator) Methods() []string {
	methods := []string{ClientSecretBasic, ClientSecretPost}
	if a.cfg.Replay != nil {
		methods = append(methods, PrivateKeyJWT)
	}
	return append(methods, None)
}

// AssertionAlgorithms returns the algorithms of private_key_jwt, for metadata. It is nil where the
// method is not offered.
func (a *Authenticator) AssertionAlgorithms() []string {
	if a.cfg.Replay == nil {
		return nil
	}
	return append([]string(nil), assertionAlgorithms...)
}

// Authenticate verifies credentials against the client's registered method, and only that.
// Every failure is an invalid_client or invalid_request *portner.Error, the same for unknown clients,
// wrong methods and wrong secrets; answer invalid_client with 401, and with WWW-Authenticate if the
// request had an Authorization header (RFC 6749 section 5.2). After too many failures it is
// temporarily_unavailable with a *TooManyAttemptsError as cause: answer 429. Storage faults come
// through as they are.
func (a *Authenticator) Authenticate(ctx context.Context, c Credentials, now time.Time) (Authenticated, error) {
	p, err := c.mechanism()
	if r, ok := errors.AsType[*refusal](err); ok {
		return Authenticated{}, a.refuse(ctx, c, "", r, now)
	}
	if err != nil {
		return Authenticated{}, err
	}
	wait := a.cfg.Attempts.Wait(ctx, p.clientID, c.RemoteAddr, now)
	if wait > 0 && p.guessable() {
		return Authenticated{}, a.tooMany(ctx, c, wait, now)
	}
	registered, err := a.find(ctx, p.clientID)
	if err != nil {
		return Authenticated{}, err
	}
	switch amr, r, err := a.verify(ctx, registered, p, c, now); {
	case err != nil:
		return Authenticated{}, err
	case r == nil:
		return Authenticated{registered, amr}, nil
	case wait > 0:
		return Authenticated{}, a.tooMany(ctx, c, wait, now)
	default:
		a.cfg.Attempts.Failed(ctx, p.clientID, c.RemoteAddr, now)
		return Authenticated{}, a.refuse(ctx, c, idOf(registered), r, now)
	}
}

// find returns nil for a client that is not registered.
func (a *Authenticator) find(ctx context.Context, clientID string) (*Client, error) {
	if len(clientID) > maxClientID || !vschar(clientID) {
		return nil, nil
	}
	c, err := a.cfg.Clients.Client(ctx, clientID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("client: finding a registration: %w", err)
	case c == nil || c.ClientID != clientID:
		return nil, errors.New("client: the source answered with another client")
	}
	return c, nil
}

func idOf(c *Client) string {
	if c == nil {
		return ""
	}
	return c.ClientID
}

// verify checks what was presented. A secret is hashed and compared before anything is decided, so that
// unknown and inactive clients and wrong methods take as long as a wrong secret.
func (a *Authenticator) verify(ctx context.Context, registered *Client, p presented, c Credentials, now time.Time) (amr string, r *refusal, err error) {
	if p.guessable() {
		var secrets []Secret
		if registered != nil {
			secrets = registered.Secrets
		}
		r = checkSecret(secrets, p.secret, now)
	}
	switch {
	case registered == nil:
		return "", refusedUnknown, nil
	case registered.Inactive:
		return "", refusedInactive, nil
	case registered.AuthMethod() != p.method:
		return "", refusedMethod, nil
	case p.method == PrivateKeyJWT:
		return a.verifyAssertion(ctx, registered, c, now)
	}
	return p.method, r, nil
}

// refuse reports the reason and returns the answer that tells nothing.
func (a *Authenticator) refuse(ctx context.Context, c Credentials, clientID string, r *refusal, now time.Time) error {
	a.report(ctx, c, clientID, r.event, r.reason, now)
	return &portner.Error{Code: portner.InvalidClient, Description: "Client authentication failed.", Err: r}
}

func (a *Authenticator) tooMany(ctx context.Context, c Credentials, wait time.Duration, now time.Time) error {
	a.report(ctx, c, "", refusedTooMany.event, refusedTooMany.reason, now)
	return &portner.Error{
		Code:        portner.TemporarilyUnavailable,
		Description: "Too many failed attempts. Wait before the next one.",
		Err:         &TooManyAttemptsError{RetryAfter: wait},
	}
}

func (a *Authenticator) report(ctx context.Context, c Credentials, clientID string, name portner.EventName, reason string, now time.Time) {
	if !a.log.Active() {
		return
	}
	a.log.Emit(ctx, portner.Event{
		Name: name, Time: now, CorrelationID: c.CorrelationID, Endpoint: c.Endpoint, ClientID: clientID, Reason: reason,
	})
}
