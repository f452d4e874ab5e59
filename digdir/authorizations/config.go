package authorizations

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Scopes of callers.
const (
	Scope        = scope.Authorizations // lists and ends authorizations
	HistoryScope = scope.LoginHistory   // lists logins
)

// Config configures an [API].
type Config struct {
	// Store lists and ends grants. Required.
	Store Store
	// Vault derives the keys of users and the identifiers of authorizations. It is the provider's. Required.
	Vault *session.Vault
	// Tokens looks up the access tokens of callers, and reports whether the user of PageUser is enabled. It is the Minter of the
	// provider's token endpoint. Required.
	Tokens *token.Minter
	// Clients finds registrations. Required.
	Clients client.Source
	// Scopes finds scopes. Required.
	Scopes scope.Source
	// Sufficient reports whether a user who logged in at a level may see and end authorizations and see logins, by an access token or
	// on the page of PageUser. A provider without levels of assurance has the level "". Required.
	Sufficient func(acr string) bool
	// Sessions are those of the provider, for PageUser. If nil, there is no page.
	Sessions *session.Keeper
	// Circle is the circle of clients (session.Rules.Circle) that the user of the page must have logged in for. "" is the common
	// circle.
	Circle string
	// History finds logins. If nil, there is no login history API.
	History HistoryStore
	// URL is the public base URL of Handler. Tokens that are bound to a key are accepted with a proof for it (RFC 9449), by the DPoP of the
	// token endpoint. If "", they are rejected.
	URL string
	// Machines verifies the tokens of machines. If nil, only tokens of users are accepted.
	Machines Machines
	// Audience holds the names of this API in access tokens, beside the issuer of the provider. The token of a user with other
	// audiences only is rejected; one without an audience is accepted.
	Audience []string
	// SubjectOf returns the subject (session.Identity.Subject) of the user with a national identity number, and whether
	// there is one. Required with Machines.
	SubjectOf func(ctx context.Context, pid norway.PID) (subject string, ok bool, err error)

	// Now is the clock. If nil, time.Now.
	Now func() time.Time
	// Logger receives one line per decision and fault. If nil, they are discarded.
	Logger *slog.Logger
	// OnEvent receives the same decisions as values. It may be nil.
	OnEvent func(context.Context, portner.Event)
}

// Store is the part of provider.Store that an API calls.
type Store interface {
	// Grants returns the live grants of a user, as provider.Store does.
	Grants(ctx context.Context, q storage.GrantQuery, now time.Time) ([]storage.Grant, error)
	// Revoke ends grants, as provider.Store does.
	Revoke(ctx context.Context, r storage.Revocation, now time.Time) error
}

// HistoryStore finds the logins that authorize.HistoryStore recorded.
type HistoryStore interface {
	// Logins returns the logins of a user that have not expired, newest first.
	Logins(ctx context.Context, userKey storage.Hash, now time.Time) ([]storage.Login, error)
}

// Machines verifies machine tokens of another issuer, such as Maskinporten.
type Machines interface {
	// VerifyMachine verifies a bearer token that must have the scope, and returns the organisation number of its consumer. It must reject a
	// token that is bound to its sender, as resource.Verifier does with resource.Bearer. It returns an error that wraps portner.InvalidToken or
	// portner.InsufficientScope if the token is rejected. Every other error is a fault.
	VerifyMachine(ctx context.Context, token, scope string, now time.Time) (organisation string, err error)
}

// API lists and ends authorizations. It is safe for concurrent use.
type API struct {
	cfg Config
	log audit.Log
}

// New returns an API. It reports every problem of the configuration at once, as FieldErrors.
func New(cfg Config) (*API, error) {
	var f fields.Checker
	f.RequireValue(cfg.Store, "Store")
	f.Require(cfg.Vault != nil, "Vault")
	f.Made(cfg.Vault, "Vault", "session.NewVault")
	f.Require(cfg.Tokens != nil, "Tokens")
	f.Made(cfg.Tokens, "Tokens", "token.Endpoint.Minter")
	f.RequireValue(cfg.Clients, "Clients")
	f.RequireValue(cfg.Scopes, "Scopes")
	f.Require(cfg.Sufficient != nil, "Sufficient")
	f.Made(cfg.Sessions, "Sessions", "session.New")
	f.OptionalValue(cfg.History, "History")
	f.OptionalValue(cfg.Machines, "Machines")
	f.Want(cfg.Circle == "" || cfg.Sessions != nil, "Circle", "has no effect without Sessions")
	if cfg.URL != "" {
		f.URL("URL", cfg.URL)
	}
	f.Want(cfg.Machines == nil || cfg.SubjectOf != nil, "SubjectOf", "is required with Machines")
	for i, name := range cfg.Audience {
		f.Require(name != "", fmt.Sprintf("Audience[%d]", i))
	}
	if err := f.Err(); err != nil {
		return nil, fmt.Errorf("authorizations: %w", err)
	}
	cfg.Audience = slices.Clone(cfg.Audience)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &API{cfg, audit.Log{Endpoint: "authorizations", Logger: cfg.Logger, OnEvent: cfg.OnEvent}}, nil
}
