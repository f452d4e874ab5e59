package authorizations

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Caller is the authenticated caller of one request to the API. It holds the time at which it was authenticated: authenticate a caller
// after the body of the request was read.
type Caller struct {
	// Organisation is the organisation number of the client that called.
	Organisation string

	user storage.Hash // the user of the token; zero for a machine
	now  time.Time    // the time of the request
}

// AuthenticateUser verifies that a request has an access token of a user with a scope, which is [Scope] or [HistoryScope], and that the
// sender is the one that the token is bound to. The token must have the scope, identify the user, and not be for other resource servers
// only. The user must have logged in at a level that suffices. Rejections are *portner.Error.
//
// r.URL is Config.URL with the path of the request, or "" to reject tokens that are bound to a key.
func (a *API) AuthenticateUser(ctx context.Context, r token.APIRequest, scope string) (*Caller, error) {
	c, err := a.authenticateUser(ctx, r, scope)
	if err != nil && !portner.IsFault(err) && r.URL != "" {
		return nil, a.cfg.Tokens.Challenge(r, portner.AsError(err))
	}
	return c, err
}

func (a *API) authenticateUser(ctx context.Context, r token.APIRequest, scope string) (*Caller, error) {
	if r.URL == "" {
		if _, err := bearerToken(r.Authorization); err != nil {
			return nil, err
		}
	}
	now := a.cfg.Now()
	t, err := a.cfg.Tokens.VerifyAccessToken(ctx, r, now)
	switch {
	case errors.Is(err, portner.InvalidToken) && r.URL == "":
		return nil, errInvalidToken()
	case err != nil && portner.IsFault(err):
		return nil, fmt.Errorf("authorizations: looking up the access token: %w", err)
	case err != nil:
		return nil, err
	case !t.IsFor(a.cfg.Audience...):
		return nil, errInvalidToken()
	case !slices.Contains(t.Token.Scopes, scope):
		return nil, errScope()
	case t.Grant.UserKey == (storage.Hash{}) || token.Protection(a.cfg.Scopes, &t.Grant, t.Token.Opaque) != pseudonym.Open:
		return nil, errUnidentified()
	case t.Client.OrganisationNo == "":
		return nil, errInvalidToken()
	}
	if _, ok := t.Identity.Identifier(session.TypePID); !ok {
		return nil, errUnidentified()
	}
	if !a.cfg.Sufficient(t.Grant.ACR) {
		return nil, errLevel()
	}
	return &Caller{Organisation: t.Client.OrganisationNo, user: t.Grant.UserKey, now: now}, nil
}

// PageUser returns the subject of the user for a page of the host that calls OfUser and Revoke. The browser must have a session in which
// the user, who must be enabled, logged in for Config.Circle at a level that suffices. Otherwise the subject is "", reason says why, and
// the page must show no data. request and response are the header fields of the request and its response.
func (a *API) PageUser(ctx context.Context, request, response http.Header, now time.Time) (subject string, reason session.Reason, err error) {
	if a.cfg.Sessions == nil {
		return "", "", errors.New("authorizations: PageUser requires Config.Sessions")
	}
	required := session.Request{Circle: a.cfg.Circle, Sufficient: a.cfg.Sufficient}
	who, reason, err := a.cfg.Sessions.User(ctx, request, response, required, now)
	if err != nil {
		return "", "", fmt.Errorf("authorizations: finding the user of the session: %w", err)
	}
	if who.Subject == "" {
		return "", reason, nil
	}
	switch enabled, err := a.cfg.Tokens.UserEnabled(ctx, who.Subject); {
	case err != nil:
		return "", "", fmt.Errorf("authorizations: loading the user: %w", err)
	case !enabled:
		return "", reasonUserDisabled, nil
	}
	return who.Subject, "", nil
}

// reasonUserDisabled is the reason of PageUser for a user whom the host disabled or removed.
const reasonUserDisabled session.Reason = "user_disabled"

// AuthenticateMachine verifies that the values of an Authorization header field hold a bearer token that Config.Machines accepts.
// Rejections are *portner.Error.
func (a *API) AuthenticateMachine(ctx context.Context, authorization []string) (*Caller, error) {
	value, err := bearerToken(authorization)
	if err != nil {
		return nil, err
	}
	if a.cfg.Machines == nil {
		return nil, errInvalidToken()
	}
	now := a.cfg.Now()
	organisation, err := a.cfg.Machines.VerifyMachine(ctx, value, Scope, now)
	switch {
	case errors.Is(err, portner.InsufficientScope):
		return nil, errScope()
	case errors.Is(err, portner.InvalidToken), err == nil && organisation == "":
		return nil, errInvalidToken()
	case err != nil:
		return nil, fmt.Errorf("authorizations: verifying a machine token: %w: %w", portner.ErrUnavailable, err)
	}
	return &Caller{Organisation: organisation, now: now}, nil
}

// Authenticate verifies the token of a user with [Scope], as AuthenticateUser does, or that of a machine. Rejections are *portner.Error.
func (a *API) Authenticate(ctx context.Context, r token.APIRequest) (*Caller, error) {
	c, err := a.AuthenticateUser(ctx, r, Scope)
	_, notBearer := httpx.BearerToken(r.Authorization)
	if a.cfg.Machines != nil && notBearer == nil && errors.Is(err, portner.InvalidToken) { // not a token of this provider
		return a.AuthenticateMachine(ctx, r.Authorization)
	}
	return c, err
}

// bearerToken returns the token of an Authorization header field.
func bearerToken(authorization []string) (string, error) {
	if len(authorization) == 0 {
		return "", errNoToken()
	}
	token, err := httpx.BearerToken(authorization)
	if err != nil || len(token) > jose.MaxToken {
		return "", reject(portner.InvalidRequest, "The Authorization header is malformed.")
	}
	return token, nil
}

// reject returns a protocol error with the challenge of RFC 6750 §3.
func reject(code portner.ErrorCode, description string) *portner.Error {
	return &portner.Error{
		Code: code, Description: description,
		Header: map[string][]string{"Www-Authenticate": {`Bearer error="` + string(code) + `"`}},
	}
}

// errNoToken rejects a request without a token. RFC 6750 §3.1: the challenge has no error code.
func errNoToken() *portner.Error {
	e := reject(portner.InvalidToken, "An access token is required.")
	e.Header["Www-Authenticate"] = []string{"Bearer"}
	return e
}

func errInvalidToken() *portner.Error {
	return reject(portner.InvalidToken, "The access token is not valid.")
}

func errUnidentified() *portner.Error {
	return reject(portner.InvalidToken, "The access token does not identify the user.")
}

// errLevel rejects a token of a login at a level that does not suffice (RFC 9470 §3).
func errLevel() *portner.Error {
	return reject(portner.InsufficientUserAuthentication, "A higher level of assurance is required.")
}

func errScope() *portner.Error {
	return reject(portner.InsufficientScope, "The access token lacks the scope.")
}
