// Package systemuser is the part of Altinn that makes system users possible: the register of systems (docs/spec/altinn.md §3.10), the
// requests of vendors for system users at their customers and the decision of a user of the customer (docs/spec/altinn.md §3.11), the
// look-up by Maskinporten (docs/spec/altinn.md §3.12), and the parties that a user may represent (docs/spec/altinn.md §3.13).
//
// Requests are read strictly: a body with an unknown or repeated member is rejected, which Altinn ignores. Errors have the status and the
// problem documents of Altinn.
package systemuser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/resource"
)

// Config configures an [API].
type Config struct {
	// Tokens verifies access tokens: those of Maskinporten for vendors, and those of Altinn for users. Required.
	Tokens *resource.Verifier
	// Issuer is that of Altinn: only its tokens name users of Altinn. Required.
	Issuer string
	// DelegationSources are the delegation sources whose suppliers may act for vendors.
	DelegationSources []string
	// Platform is the base URL of the API, with a slash at its end. Required.
	Platform string
	// ConfirmURL is the page on which a user of the customer decides; the identifier of the request follows. Required.
	ConfirmURL string
	// Parties finds organisations and their access managers. Required.
	Parties Parties
	// Log keeps systems, requests and system users. Required.
	Log Log
	// Systems and Users are those of the configuration. The API can replace and delete them; the log keeps that.
	Systems []System
	Users   []User

	// Now is the clock. It is read once per request. If nil, time.Now.
	Now func() time.Time
	// Logger receives one line per decision and fault. If nil, they are discarded.
	Logger *slog.Logger
	// OnEvent receives the same decisions as values. It may be nil.
	OnEvent func(context.Context, portner.Event)
}

// Log keeps the records of an API, as changes.Log does.
type Log interface {
	Load(ctx context.Context) (changes.Changes, int64, error)
	Append(ctx context.Context, after int64, c changes.Changes, now time.Time) error
}

// Parties are the register of parties. Errors that wrap storage.ErrNotFound report that there is none; every other error is a fault.
type Parties interface {
	// Organisation returns the party of an organisation.
	Organisation(ctx context.Context, orgno string) (Party, error)
	// Party returns the organisation with the identifier of a party.
	Party(ctx context.Context, id int64) (Party, error)
	// Authorized returns the parties that a subject may represent, a person among them itself.
	Authorized(ctx context.Context, s Subject) ([]AuthorizedParty, error)
	// Manages reports whether a user is an access manager of an organisation.
	Manages(ctx context.Context, userID int64, orgno string) (bool, error)
}

// Party is an organisation in the register of parties.
type Party struct {
	ID          int64
	Orgno, Name string
}

// API serves the register, the requests and the system users. It is safe for concurrent use.
type API struct {
	cfg  Config
	log  audit.Log
	base changes.Changes // of the configuration
	mux  *http.ServeMux
}

// New returns an API. It reports every problem of the configuration at once, as FieldErrors.
func New(cfg Config) (*API, error) {
	var f fields.Checker
	f.Require(cfg.Tokens != nil, "Tokens")
	f.Require(cfg.Issuer != "", "Issuer")
	f.Require(cfg.Platform != "", "Platform")
	f.Require(cfg.ConfirmURL != "", "ConfirmURL")
	f.Require(cfg.Parties != nil, "Parties")
	f.Require(cfg.Log != nil, "Log")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &API{cfg: cfg, log: audit.Log{Endpoint: "altinn", Logger: cfg.Logger, OnEvent: cfg.OnEvent}}
	a.base = a.configured(&f)
	if err := f.Err(); err != nil {
		return nil, fmt.Errorf("systemuser: %w", err)
	}
	a.routes()
	return a, nil
}

// configured returns the records of the configuration, and reports those that the API would reject.
func (a *API) configured(f *fields.Checker) changes.Changes {
	c := changes.Changes{}
	clients := map[string]bool{}
	for i := range a.cfg.Systems {
		s, at := a.cfg.Systems[i].withLists(), fmt.Sprintf("Systems[%d]", i)
		for _, e := range s.check() {
			f.Add(at+"."+e.member, errors.New(e.Title))
		}
		f.Want(c[listSystems][s.ID] == nil, at+".id", "occurs twice")
		for _, id := range s.ClientID {
			f.Want(!clients[id], at+".clientId", fmt.Sprintf("%q is that of another system", id))
			clients[id] = true
		}
		c = c.With(listSystems, s.ID, encode(s))
	}
	for i, u := range a.cfg.Users {
		at := fmt.Sprintf("Users[%d]", i)
		f.Require(u.ID != "", at+".id")
		f.Want(c[listUsers][u.ID] == nil, at+".id", "occurs twice")
		f.Want(c[listSystems][u.SystemID] != nil, at+".systemId", "is no system of the configuration")
		c = c.With(listUsers, u.ID, encode(u))
	}
	return c
}
