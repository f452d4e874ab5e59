package provider

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// Config configures a Provider. Required are Issuer, Profile, Store, Keys, Clients, Secrets and PairwiseKey; every other field has a
// default. New reports every problem at once, by field name.
type Config struct {
	// Issuer is the issuer identifier: an https URL without a slash at its end, a query or a fragment (OIDC Discovery §3). Plain
	// http is valid for loopback hosts only. Required.
	Issuer string
	// BrowserURL is the base URL of /authorize, /logout and the host's pages, if browsers use another host than the issuer:
	// the issuer of ID-porten is https://idporten.no, and its browser host is login.idporten.no. If "", it is Issuer.
	BrowserURL string
	// Profile is the result of IDPorten, OpenIDConnect, FAPI2 or FAPI2MessageSigning, or another value. Required.
	Profile Profile

	// Store keeps sessions, grants, tokens and consents. Required.
	Store Store
	// Environment must be the one that the registrations were validated against. The zero value is production. An http issuer
	// sets Environment.Test.
	Environment client.Environment
	// Keys sign tokens. Required.
	Keys *keyset.Set
	// Clients finds registrations. It is called for every request: wrap a source over a database with client.Cache. Required.
	Clients client.Source
	// Origins reports whether any browser client has the origin, for CORS preflight requests. Pass HasOrigin of a
	// *client.Registry. If nil, every preflight request is denied; see [token.Config].
	Origins func(ctx context.Context, origin string) (bool, error)
	// Scopes finds scopes, and the access of clients to them. The standard scopes of the profile exist beside them; see
	// Profile.Scopes. If nil, only these exist.
	Scopes scope.Source

	// Page shows the host's pages. The provider serves it at the paths of Pages. If nil, the host mounts Authorize.Page there.
	Page authorize.PageFunc
	// Pages holds the paths of the host's pages below BrowserURL. Zero fields are /login, /step-up, /consent and /representation. New
	// rejects the path of an endpoint.
	Pages authorize.Pages

	// Secrets encrypt what browsers and the store keep. The first one encrypts, every one decrypts: put a new secret first to
	// rotate. The last one stays in its place, because the keys by which users are found derive from it. At least one is required, and
	// every node needs the same.
	Secrets []portner.Secret
	// PairwiseKey derives pairwise subjects (OIDC Core §8.1). Every pairwise subject changes with it: keep it for years. Required,
	// also with public subjects, because pseudonymous grants use it. It must differ from Secrets.
	PairwiseKey portner.Secret

	// PushedRequests keeps pushed authorization requests (RFC 9126). If nil, there is no endpoint for them.
	PushedRequests authorize.PushedRequestStore
	// History keeps the login history, for package digdir/authorizations. If nil, no history is kept.
	History authorize.HistoryStore
	// Replay remembers used client assertions. If nil, private_key_jwt is rejected.
	Replay client.ReplayStore
	// Certificates verifies the business certificates of client assertions (virksomhetssertifikat). If nil, assertions need a
	// registered key.
	Certificates *businesscert.Verifier
	// DPoP holds the rules for DPoP proofs (RFC 9449). Its Nonces apply at the token endpoint only. If nil, the field DPoP of requests is
	// ignored.
	DPoP *dpop.Policy
	// MTLSURL is the base URL of a listener that requests client certificates: the endpoints below it are the mtls_endpoint_aliases of
	// the metadata (RFC 8705 §5). If "", clients with a certificate use the endpoints of Issuer.
	MTLSURL string
	// TLSClientCAs are the roots of the certificates of clients with tls_client_auth (RFC 8705 §2.1). If nil, the method is not
	// supported.
	TLSClientCAs *x509.CertPool
	// ClientCertificates returns the TLS certificates of the client of a request, for a host whose TLS ends at a proxy. Read the conditions at
	// [client.CertificateFunc]. If nil, they are those of the connection.
	ClientCertificates client.CertificateFunc
	// Attempts limits failed client authentications. If nil, it is ten failures a minute for a pair of client and remote address,
	// counted in this process. Behind a reverse proxy, the host must set the remote address of requests to that of the caller:
	// otherwise one caller can lock out a client for all.
	Attempts client.AttemptLimiter
	// AuthorizationDetails are the types of authorization_details (RFC 9396). If nil, the parameter is rejected. With types, the pages
	// for consent and representation must show Pending.Details.
	AuthorizationDetails *rar.Registry
	// Users finds users: whether they are enabled, and their claims. It is called once per request. If nil, users are never
	// disabled, and only claims from the login are returned.
	Users token.UserSource
	// Claims adds the claims of the host to id_tokens, access tokens, introspection and userinfo. If nil, there are none.
	Claims token.ClaimsFunc

	// Session holds the rules of the SSO session. The zero value is a maximum of 120 minutes and 30 idle minutes.
	Session session.Rules
	// MaxSessionsPerUser is how many sessions of a user the store may keep. If there is one more, the oldest ends. The default is
	// session.DefaultMaxPerUser, the largest value 1,000.
	MaxSessionsPerUser int
	// Lifetimes replace those of the profile. Zero fields do not. With OpenIDConnect they are an hour for tokens, 30 days for a refresh
	// token that is not used, and 90 days for a grant; with IDPorten 120 s, 10 minutes and two hours.
	Lifetimes Lifetimes
	// RotationGrace is how long after its rotation a refresh token may be presented again by a client that did not receive the
	// response; see [token.Config]. The default 0 turns it off.
	RotationGrace time.Duration
	// GrantHandlers handle grant types beside authorization_code and refresh_token.
	GrantHandlers []token.GrantHandler

	// ErrorPage renders the page for errors that must not be sent to the client; see [authorize.Config]. If nil, a plain page is
	// sent.
	ErrorPage func(p authorize.ErrorPage) portner.Reply
	// LogoutPages render the pages of logout. A plain page is sent where a function is nil.
	LogoutPages logout.Pages
	// Backchannel sends logout tokens (OIDC Back-Channel Logout §2.5): at a logout, and when a login ends a session of another user
	// in the same browser or beyond MaxSessionsPerUser; see [logout.Endpoint.NotifyEnded]. If nil, there is no back-channel logout.
	Backchannel logout.Sender
	// TestLogin answers login_hint with a login, for automated tests. If nil, login_hint has no such effect.
	TestLogin *authorize.TestLogin

	// Now is the clock. It is read once per request. If nil, it is time.Now.
	Now func() time.Time
	// Logger receives one line per decision and fault. If nil, they are discarded.
	Logger *slog.Logger
	// OnEvent receives the same decisions as values. It may be nil.
	OnEvent func(context.Context, portner.Event)
}
