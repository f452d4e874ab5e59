package token

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/storage"
)

// DescribeUser decides a userinfo request (OIDC Core §5.3): GET, or POST with the token in the header or in the form. With
// Config.SenderConstrained it must be in the header.
// DescribeUser requires Config.Store.
func (e *Endpoint) DescribeUser(ctx context.Context, r client.Request) (*Claims, error) {
	x := e.begin(nameUserInfo, r)
	out, err := x.describeUser(ctx)
	if err != nil {
		return nil, x.reject(ctx, err)
	}
	defer out.free()
	return &Claims{Active: true, JSON: bytes.Clone(out.bytes()), nonce: x.nonce}, nil
}

// reader reads the request of an endpoint.
type reader func(http.ResponseWriter, *http.Request) (client.Request, error)

// userInfo reads a userinfo request. If the token is in the header, the body is read only if it is a form.
func (read reader) userInfo(w http.ResponseWriter, r *http.Request) (client.Request, error) {
	if r.Method != http.MethodPost || len(r.Header["Authorization"]) == 0 || isForm(r.Header) {
		return read(w, r)
	}
	get := *r // without a body
	get.Method = http.MethodGet
	out, err := read(w, &get)
	out.Method = r.Method // that of a proof
	return out, err
}

func isForm(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "application/x-www-form-urlencoded")
}

// describeUser finds the user of the access token and encodes the claims that its client may receive. A self-contained token
// is looked up too, so that revocation counts.
func (x *exchange) describeUser(ctx context.Context) (out *buffer, err error) {
	defer x.rescue(&err)
	if err := x.requireMethod("GET, POST"); err != nil {
		return nil, err
	}
	token, err := x.accessToken()
	if err != nil {
		return nil, err
	}
	if len(token) > maxToken {
		return nil, invalidToken("token_too_long", "")
	}
	access, grant, err := x.minter.accessToken(ctx, storage.HashOf(token), x.now)
	if gone(err) {
		return nil, invalidToken("token_unknown", "")
	} else if err != nil {
		return nil, err
	}
	if !opensUserInfo(&access, x.cfg.Issuer) {
		err := invalidToken("audience_mismatch", grant.ID)
		err.Description = "The access token is for another resource server."
		return nil, err
	}
	live, err := x.minter.check(ctx, &grant, nil, x.now)
	if live.client != nil {
		x.client = live.client
	}
	if reason, is := ended(err); is {
		return nil, invalidToken(reason, grant.ID)
	} else if err != nil {
		return nil, err
	}
	r := APIRequest{DPoP: x.request.Header[headerDPoP], Method: x.request.Method, URL: x.cfg.UserInfoURL, Certificate: x.request.Certificate}
	if err := x.minter.verifySender(ctx, &r, x.scheme, token, &access, &grant, x.now); err != nil {
		return nil, err
	}
	if x.cfg.ResourceNonces != nil && access.Confirmation.Key != "" {
		x.nonce = x.cfg.ResourceNonces.Current(x.now)
	}
	return x.userInfoOf(ctx, &access, &grant, &live)
}

// opensUserInfo reports whether the audience of a token permits userinfo, a resource server too (RFC 9068 §4). OIDC Core §5.3.1 takes the
// token of the login, whose audience is an API if its scopes or a resource name one. Such a token is accepted if it is bound to the sender,
// which verifySender proves: an API that received it cannot use it.
func opensUserInfo(t *storage.AccessToken, issuer string) bool {
	return isForProvider(t.Audience, issuer) || t.Confirmation != (storage.Confirmation{})
}

// userInfo holds the base claims of a userinfo response. Claims functions add the others.
type userInfo struct{ Sub string }

func (u *userInfo) write(b *buffer) { b.text("sub", u.Sub) }

func (x *exchange) userInfoOf(ctx context.Context, t *storage.AccessToken, g *storage.Grant, live *liveGrant) (*buffer, error) {
	f, err := x.minter.facts(live.client, g, &live.identity, live.user, x.now)
	if err != nil {
		return nil, err
	}
	if Protection(x.cfg.Scopes, g, t.Opaque) != pseudonym.Open {
		f.withhold()
	}
	if reason := x.userInfoDenied(t, &f); reason != "" {
		return nil, &portner.Error{
			Code: portner.InsufficientScope, Description: "The access token may not be used here.",
			Err: &cause{Event: portner.EventRefused, Reason: reason, GrantID: g.ID},
		}
	}
	f.clientAMR, f.confirmation = t.ClientAMR, t.Confirmation
	out, err := encode(&userInfo{Sub: f.sub})
	if err != nil {
		return nil, err
	}
	if err := x.minter.addClaims(ctx, out, UserInfo, &f, t.Scopes); err != nil {
		out.free()
		return nil, err
	}
	return out, nil
}

const reasonScope = "userinfo_scope_missing"

// userInfoDenied returns why a token has no userinfo, "" if it has. OIDC Core §5.3.2: a response needs a sub.
func (x *exchange) userInfoDenied(t *storage.AccessToken, f *facts) (reason string) {
	switch {
	case !slices.Contains(t.Scopes, x.cfg.UserInfoScope), f.grant.Identity == nil:
		return reasonScope
	case f.sub == "":
		return "subject_withheld"
	}
	return ""
}

// maxToken is the largest length of a token in bytes. The tokens of this provider are shorter.
const maxToken = 32 << 10

// accessToken returns the access token of a request, from the header or the form (RFC 6750 §2, RFC 9449 §7.1), and sets its scheme.
func (x *exchange) accessToken() (string, error) {
	scheme, inHeader, err := httpx.Credentials(x.request.Header["Authorization"])
	if scheme == httpx.DPoP && x.cfg.DPoP == nil { // not a scheme of this server
		scheme, inHeader, err = "", "", nil
	}
	inForm := x.request.Form.Get("access_token")
	switch {
	case err == nil && inHeader != "" && inForm != "":
		return "", refuse(portner.InvalidRequest, "The access token was sent twice.", "token_repeated")
	case inForm != "" && x.cfg.SenderConstrained: // FAPI 2.0 SP §5.3.4
		return "", refuse(portner.InvalidRequest, "The access token belongs in the Authorization header field.", "token_in_form")
	case inForm != "" && scheme == "":
		scheme = httpx.Bearer
	}
	x.scheme = scheme
	if err := badCredentials(err); err != nil {
		return "", err
	}
	if inHeader == "" && inForm == "" {
		return "", errNoToken
	}
	return inHeader + inForm, nil
}

// errNoToken has no code: a challenge to a request without a token has none (RFC 6750 §3.1).
var errNoToken = &portner.Error{Status: http.StatusUnauthorized, Err: &cause{Event: portner.EventRefused, Reason: "token_missing"}}

// invalidToken is the error for every access token that is not valid.
func invalidToken(reason, grantID string) *portner.Error {
	return &portner.Error{
		Code: portner.InvalidToken, Description: "The access token is not valid.", Err: &cause{Event: portner.EventRefused, Reason: reason, GrantID: grantID},
	}
}

// challenge adds the challenges to a response. That for a bound token without the scope names the scope (RFC 9449 §7.1).
func (x *exchange) challenge(e *portner.Error) {
	switch e.HTTPStatus() {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
	default:
		return
	}
	var further []httpx.Param
	if c, ok := errors.AsType[*cause](e.Err); ok && c.Reason == reasonScope && x.scheme == httpx.DPoP {
		further = []httpx.Param{{Name: "scope", Value: x.cfg.UserInfoScope}}
	}
	x.cfg.challenge(e, x.cfg.UserInfoURL, x.scheme, further...)
}
