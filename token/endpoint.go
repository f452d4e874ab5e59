package token

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/storage"
)

// Endpoint is the token endpoint and its siblings. It is safe for concurrent use.
//
// Issue, Introspect, DescribeUser and Revoke decide requests without net/http. Every error they return is a *portner.Error with the
// header fields of its response, and is reported to Config.Logger and Config.OnEvent. ServeHTTP and the handlers that
// Introspection, UserInfo and Revocation return adapt them to net/http and answer CORS requests.
type Endpoint struct {
	cfg    Config
	grants map[string]GrantHandler

	token, introspection, userInfo, revocation handler
}

// New validates the configuration and returns an endpoint. It reports every problem at once, by field name.
func New(cfg Config) (*Endpoint, error) {
	cfg.GrantHandlers = slices.Clone(cfg.GrantHandlers)
	cfg.Claims = slices.Clone(cfg.Claims)
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	if cfg.DPoP != nil {
		resource := *cfg.DPoP
		resource.Nonces = cfg.ResourceNonces
		cfg.resourceDPoP = &resource
	}
	e := &Endpoint{cfg: cfg, grants: map[string]GrantHandler{}}
	if cfg.Store != nil {
		e.grants[client.AuthorizationCode] = GrantHandler{Type: client.AuthorizationCode, Handle: redeemCode}
		e.grants[client.RefreshToken] = GrantHandler{Type: client.RefreshToken, Handle: refresh}
	}
	for _, g := range cfg.GrantHandlers {
		e.grants[g.Type] = g
	}
	read := reader(func(w http.ResponseWriter, r *http.Request) (client.Request, error) {
		return client.RequestFrom(w, r, cfg.ClientCertificates)
	})
	e.token = handler{Endpoint: e, name: nameToken, cors: "POST", read: read, decide: (*exchange).writeTokens}
	e.introspection = handler{Endpoint: e, name: nameIntrospection, read: read, decide: (*exchange).introspect, none: inactive}
	e.userInfo = handler{Endpoint: e, name: nameUserInfo, cors: "GET, POST", read: read.userInfo, decide: (*exchange).describeUser}
	e.revocation = handler{Endpoint: e, name: nameRevocation, cors: "POST", read: read, decide: (*exchange).revokeToken}
	return e, nil
}

// The names of the endpoints in events.
const (
	nameToken         = "token"
	nameIntrospection = "introspection"
	nameUserInfo      = "userinfo"
	nameRevocation    = "revocation"
)

// Minter returns a Minter for use outside of a grant handler, such as an API of the host that accepts access tokens of this
// provider.
func (e *Endpoint) Minter() *Minter { return &Minter{cfg: &e.cfg} }

// Issue decides a token request (RFC 6749 §3.2).
func (e *Endpoint) Issue(ctx context.Context, r client.Request) (*Response, error) {
	x := e.begin(nameToken, r)
	res, err := x.issue(ctx)
	if err != nil {
		return nil, x.reject(ctx, err)
	}
	return res, nil
}

// issue authenticates the client and calls the grant handler.
func (x *exchange) issue(ctx context.Context) (res *Response, err error) {
	defer x.rescue(&err)
	if err := x.requireMethod("POST"); err != nil {
		return nil, err
	}
	if err := x.readSender(); err != nil {
		return nil, err
	}
	g, c, err := x.grantHandler(ctx)
	if err != nil {
		return nil, err
	}
	x.minter.unverified = g.Unauthenticated
	req := &Request{Request: x.request, Client: c, Now: x.now}
	req.Confirmation = storage.Confirmation{Key: x.minter.sender.proof.Key, Certificate: x.minter.sender.certificate}
	res, err = g.Handle(ctx, req, &x.minter)
	x.correlation = req.CorrelationID
	if req.Client.Client != nil {
		x.client = req.Client.Client
	}
	if err != nil {
		return nil, err
	}
	if res == nil {
		return nil, fmt.Errorf("token: the grant handler of %s returned no response", g.Type)
	}
	res.nonce = x.nonce
	x.event(ctx, portner.EventTokenIssued, g.Type, res.GrantID)
	return res, nil
}

// grantHandler returns the grant handler of the request and the authenticated client. The client is authenticated before the
// grant type is known to be supported.
func (x *exchange) grantHandler(ctx context.Context) (g GrantHandler, c client.Authenticated, err error) {
	grantType := x.request.Form.Get("grant_type")
	if grantType == "" {
		return g, c, refuse(portner.InvalidRequest, "The parameter grant_type is missing.", "grant_type_missing")
	}
	g, known := x.grants[grantType]
	if g.Unauthenticated {
		return g, c, nil
	}
	if known || x.cfg.Authenticator != nil {
		if c, err = x.authenticate(ctx); err != nil {
			return g, c, err
		}
	}
	switch {
	case !known:
		err = refuse(portner.UnsupportedGrantType, "The grant type is not supported.", "grant_type_unsupported")
	case !c.HasGrant(grantType):
		err = refuse(portner.UnauthorizedClient, "The client may not use this grant type.", "grant_type_not_registered")
	default:
		err = x.minter.admit(c.Client)
	}
	return g, c, err
}

// writeTokens encodes the response of issue.
func (x *exchange) writeTokens(ctx context.Context) (*buffer, error) {
	res, err := x.issue(ctx)
	if err != nil {
		return nil, err
	}
	return encode(res)
}
