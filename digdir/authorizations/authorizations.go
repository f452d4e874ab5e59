package authorizations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// The scopes callers need (idporten section 12.4).
const (
	Scope        = "idporten:authorizations" // authorizations
	HistoryScope = "idporten:user.log.read"  // login history
)

// Config configures an [API].
type Config struct {
	// Store finds and ends grants. Required.
	Store Store
	// Vault opens the persons of grants; the provider's. Required.
	Vault *session.Vault
	// Tokens finds the access tokens of callers and checks their grants; Minter of the provider's token endpoint. Required.
	Tokens *token.Minter
	// Clients finds registrations. Required.
	Clients client.Source
	// Scopes finds scope records. Required.
	Scopes scope.Source
	// History finds login history. nil: that endpoint does not exist.
	History HistoryStore
	// Machines verifies the tokens of machines (Maskinporten's). nil: only people's own tokens are accepted.
	Machines Machines
	// SubjectOf tells the host's subject of a person, who is asked about by number with a machine token;
	// ok is false for somebody the host does not know. Required with Machines.
	SubjectOf func(ctx context.Context, pid norway.PID) (subject string, ok bool, err error)

	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Logger gets one line per decision and fault; nil discards.
	Logger *slog.Logger
	// OnEvent gets the same decisions as values; nil: nobody listens.
	OnEvent func(context.Context, portner.Event)
}

// Machines verifies machine tokens of another issuer.
type Machines interface {
	// VerifyMachine returns the organisation number of the token's consumer if the token is good and has
	// the scope. What is wrong with the token wraps portner.InvalidToken or portner.InsufficientScope;
	// any other error is a fault.
	VerifyMachine(ctx context.Context, token, scope string, now time.Time) (orgno string, err error)
}

// API lists and ends authorizations. It is safe for concurrent use.
type API struct {
	cfg Config
	log audit.Log
}

// New reports all problems of the configuration at once.
func New(cfg Config) (*API, error) {
	var errs []error
	for field, missing := range map[string]bool{
		"Store": cfg.Store == nil, "Vault": cfg.Vault == nil, "Tokens": cfg.Tokens == nil, "Clients": cfg.Clients == nil, "Scopes": cfg.Scopes == nil,
		"SubjectOf": cfg.Machines != nil && cfg.SubjectOf == nil,
	} {
		if missing {
			errs = append(errs, fmt.Errorf("authorizations: Config.%s is required", field))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &API{cfg, audit.Log{Endpoint: "authorizations", Logger: cfg.Logger, OnEvent: cfg.OnEvent}}, nil
}

// Authorization is one authorization as the API shows it (idporten section 17.1).
type Authorization struct {
	ID           string             `json:"authorization_id"`     // session.Vault.GrantHandle
	ClientID     string             `json:"client_id"`            // who was given access
	ClientName   string             `json:"client_name"`          // its name
	Description  string             `json:"description"`          // the registration's note
	AuthorizedAt int64              `json:"authorized_at"`        // epoch milliseconds
	Expires      int64              `json:"expires"`              // epoch milliseconds
	Scopes       []Granted          `json:"scopes"`               // in the order they were requested
	UserAgent    string             `json:"user_agent,omitempty"` // the browser it was given in
	Consumer     *norway.Identifier `json:"consumer,omitempty"`   // the client's organisation
}

// Granted is one scope of an authorization.
type Granted struct {
	Name                string `json:"name"`                       // the scope
	Description         string `json:"description"`                // in Filter.Locale
	LongDescription     string `json:"long_description,omitempty"` // Markdown subset
	RequiresUserConsent bool   `json:"requires_user_consent"`      // the person was asked
	Visibility          string `json:"visibility,omitempty"`       // PUBLIC, PRIVATE, INTERNAL
	OwnerOrgno          string `json:"owner_orgno,omitempty"`      // who owns the API
}

// Filter chooses authorizations. One scope that fits is enough, and the whole authorization is shown.
type Filter struct {
	// Any shows authorizations without a scope that requires consent too.
	Any bool
	// Visibility is that of a scope; "" is any.
	Visibility string
	// ClientOrgno is the organisation of the client; "" is any.
	ClientOrgno string
	// OwnerOrgno is the organisation that owns a scope; "" is any.
	OwnerOrgno string
	// Locale is the language of descriptions; "" is bokmål.
	Locale string

	organisation string // who asks about the person; "" is the person or the host
}

// OfPerson lists what a person has granted, newest first. subject is the host's
// (session.Identity.Subject).
func (a *API) OfPerson(ctx context.Context, subject string, f Filter, now time.Time) ([]Authorization, error) {
	return a.list(ctx, a.cfg.Vault.UserKey(subject), f, now)
}

func (a *API) list(ctx context.Context, userKey storage.Hash, f Filter, now time.Time) ([]Authorization, error) {
	grants, err := a.grants(ctx, userKey, now)
	if err != nil {
		return nil, err
	}
	out := []Authorization{}
	for i := range grants {
		if f.organisation != "" && a.veiled(&grants[i], f) {
			continue
		}
		c, err := client.Lookup(ctx, a.cfg.Clients, grants[i].ClientID)
		switch {
		case err == nil, errors.Is(err, client.ErrDisabled):
		case errors.Is(err, storage.ErrNotFound):
			continue
		default:
			return nil, fmt.Errorf("authorizations: reading a client: %w", err)
		}
		if one := a.describe(&grants[i], c, f.Locale); f.fits(&one, c) {
			out = append(out, one)
		}
	}
	return out, nil
}

// pageSize is how many grants are loaded in one step.
const pageSize = 100

// grants returns the live grants of a user, newest first.
func (a *API) grants(ctx context.Context, userKey storage.Hash, now time.Time) (all []storage.Grant, err error) {
	for after := ""; ; {
		page, err := a.cfg.Store.Grants(ctx, userKey, after, pageSize, now)
		if errors.Is(err, storage.ErrNotFound) { // the last grant of the page before has expired meanwhile
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("authorizations: listing grants: %w", err)
		}
		if all = append(all, page...); len(page) < pageSize {
			return all, nil
		}
		after = page[pageSize-1].ID
	}
}

// grant returns the live grant with a handle, or ErrNotFound.
func (a *API) grant(ctx context.Context, handle string, now time.Time) (storage.Grant, error) {
	userKey, id, ok := a.cfg.Vault.OpenGrantHandle(handle)
	if !ok {
		return storage.Grant{}, ErrNotFound
	}
	grants, err := a.grants(ctx, userKey, now)
	if err != nil {
		return storage.Grant{}, err
	}
	for _, g := range grants {
		if g.ID == id {
			return g, nil
		}
	}
	return storage.Grant{}, ErrNotFound
}

func (a *API) describe(g *storage.Grant, c *client.Client, locale string) Authorization {
	one := Authorization{
		ID: a.cfg.Vault.GrantHandle(g.UserKey, g.ID), ClientID: c.ClientID, ClientName: c.DisplayName(), Description: c.Description,
		AuthorizedAt: g.CreatedAt.UnixMilli(), Expires: g.ExpiresAt.UnixMilli(), UserAgent: g.UserAgent,
	}
	if c.OrganisationNo != "" {
		consumer := norway.OrgIdentifier(c.OrganisationNo)
		one.Consumer = &consumer
	}
	for _, name := range g.Scopes {
		granted := Granted{Name: name, Description: name}
		if s := a.cfg.Scopes.Scope(name); s != nil {
			granted = Granted{
				Name: name, Description: s.DescriptionIn(locale), LongDescription: s.LongDescriptionIn(locale),
				RequiresUserConsent: s.RequiresUserConsent, Visibility: s.Visibility, OwnerOrgno: s.OwnerOrgno,
			}
		}
		one.Scopes = append(one.Scopes, granted)
	}
	return one
}

func (f Filter) fits(a *Authorization, c *client.Client) bool {
	if f.ClientOrgno != "" && c.OrganisationNo != f.ClientOrgno {
		return false
	}
	return slices.ContainsFunc(a.Scopes, func(s Granted) bool {
		return (f.Any || s.RequiresUserConsent) && (f.Visibility == "" || s.Visibility == f.Visibility) &&
			(f.OwnerOrgno == "" || s.OwnerOrgno == f.OwnerOrgno)
	})
}

// ErrNotFound says that there is no such authorization, or that it is none of the caller's.
var ErrNotFound = errors.New("authorizations: not found")

// Revoke ends an authorization of a user: every grant of the user to the client for the customer, with its tokens and
// consents, so that the user is asked again. It returns ErrNotFound if the authorization is that of another user.
func (a *API) Revoke(ctx context.Context, subject, authorizationID string, now time.Time) error {
	return a.revoke(ctx, authorizationID, now, func(g *storage.Grant, _ *client.Client) bool {
		return g.UserKey == a.cfg.Vault.UserKey(subject)
	})
}

func (a *API) revoke(ctx context.Context, id string, now time.Time, may func(*storage.Grant, *client.Client) bool) error {
	g, err := a.grant(ctx, id, now)
	if err != nil {
		return err
	}
	c, err := client.Lookup(ctx, a.cfg.Clients, g.ClientID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("authorizations: reading a client: %w", err)
	}
	if c == nil {
		c = &client.Client{}
	}
	if !may(&g, c) {
		return ErrNotFound
	}
	r := storage.Revocation{Authorization: storage.ConsentKey{UserKey: g.UserKey, ClientID: g.ClientID, Customer: g.Customer}}
	if err := a.cfg.Store.Revoke(ctx, r, now); err != nil {
		return fmt.Errorf("authorizations: revoking: %w", err)
	}
	a.log.Emit(ctx, portner.Event{Name: portner.EventTokenRevoked, Time: now, ClientID: g.ClientID, GrantID: g.ID, Reason: "authorizations"})
	return nil
}
