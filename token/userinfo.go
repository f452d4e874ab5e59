package token

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/storage"
)

// UserInfo is the handler of the userinfo endpoint (OpenID Connect Core section 5.3, idporten section 9):
// GET, and POST with the token in the header or the body.
func (e *Endpoint) UserInfo() http.Handler { return e.stored(e.userInfo) }

func (e *Endpoint) userInfo(w http.ResponseWriter, r *http.Request) {
	x := e.begin(w, r, "userinfo")
	x.cors, x.bearer = true, true
	defer x.rescue()
	if x.crossOrigin("GET, POST") {
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		httpx.MethodNotAllowed(w, "GET, POST")
		return
	}
	token, err := x.bearerToken()
	if err != nil {
		x.fail(err)
		return
	}
	if token == "" {
		x.challenge()
		return
	}
	doc, err := e.describe(r.Context(), x, token)
	if err != nil {
		x.fail(err)
		return
	}
	defer doc.free()
	httpx.WriteJSON(w, http.StatusOK, doc.bytes())
}

// bearerToken finds the one token of a request; "" if there is none (RFC 6750 section 2).
func (x *exchange) bearerToken() (string, error) {
	if query := x.r.URL.RawQuery; query != "" {
		form, err := httpx.ParseQuery(query)
		if err != nil || slices.Contains(form.Names(), "access_token") {
			// Security row H1: URLs end in logs and Referer headers.
			return "", refuse(portner.InvalidRequest, "The access token must not be sent in the URL.", "token_in_query")
		}
	}
	token, err := fromHeader(x.r.Header["Authorization"])
	if err != nil || x.r.Method == http.MethodGet || !x.hasForm(token) {
		return token, err
	}
	form, err := httpx.ReadBody(x.w, x.r)
	if err != nil || form.Repeated() != "" {
		return "", refuse(portner.InvalidRequest, "The request is malformed.", "malformed")
	}
	inBody := form.Get("access_token")
	if token != "" && inBody != "" {
		return "", refuse(portner.InvalidRequest, "The access token was sent twice.", "token_twice")
	}
	return token + inBody, nil
}

// fromHeader reads the Bearer credentials; the scheme's case does not matter (RFC 9110 section 11.1). A
// header with another scheme holds none.
func fromHeader(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 {
		return "", refuse(portner.InvalidRequest, "The Authorization header is repeated.", "header_repeated")
	}
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	if token = strings.TrimLeft(token, " "); token == "" {
		return "", refuse(portner.InvalidRequest, "The Authorization header is malformed.", "header_malformed")
	}
	return token, nil
}

// hasForm reports whether the body has to be read as a form. A request with its token in the header may
// have any body, or none.
func (x *exchange) hasForm(inHeader string) bool {
	contentType := x.r.Header.Get("Content-Type")
	if inHeader == "" {
		return x.r.ContentLength != 0 || contentType != ""
	}
	return strings.HasPrefix(strings.ToLower(contentType), "application/x-www-form-urlencoded")
}

// challenge answers a request without any token: no error code (RFC 6750 section 3.1).
func (x *exchange) challenge() {
	h := x.w.Header()
	httpx.Secure(h)
	h["Www-Authenticate"] = []string{`Bearer realm="` + x.cfg.Issuer + `"`}
	x.event(portner.EventRefused, "no_token", "")
	x.w.WriteHeader(http.StatusUnauthorized)
}

// bearerChallenge is RFC 6750 section 3. Codes and descriptions are fixed text without quotes.
func (x *exchange) bearerChallenge(e *portner.Error) string {
	return `Bearer realm="` + x.cfg.Issuer + `", error="` + string(e.Code) + `", error_description="` + e.Description + `"`
}

// invalidToken is one answer for every token that is not good here.
func invalidToken(reason, grantID string) *portner.Error {
	return &portner.Error{
		Code: portner.InvalidToken, Description: "The access token is not valid.", Err: &cause{Event: portner.EventRefused, Reason: reason, GrantID: grantID},
	}
}

// describe finds whom the token speaks of and encodes what its client may know. Tokens of both kinds are
// looked up: a self-contained one is not verified but found, so that revocation counts.
func (e *Endpoint) describe(ctx context.Context, x *exchange, token string) (*buffer, error) {
	if len(token) > maxToken {
		return nil, invalidToken("token_malformed", "")
	}
	access, grant, err := e.cfg.Store.AccessToken(ctx, storage.HashOf(token), x.now)
	switch {
	case gone(err):
		return nil, invalidToken("token_unknown", "")
	case err != nil:
		return nil, unavailable("reading the access token", err)
	case !x.now.Before(access.ExpiresAt), !x.now.Before(grant.ExpiresAt):
		return nil, invalidToken("token_expired", grant.ID)
	}
	live, err := x.minter.check(ctx, &grant, nil, x.now)
	if live.client != nil {
		x.identified(live.client)
	}
	if reason, is := ended(err); is {
		return nil, invalidToken(reason, grant.ID)
	} else if err != nil {
		return nil, err
	}
	f, err := x.minter.facts(live.client, &grant, &live.identity, live.user, x.now)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(access.Scopes, e.cfg.UserInfoScope) || f.sub == "" {
		return nil, &portner.Error{
			Code: portner.InsufficientScope, Description: "The access token may not be used here.",
			Err: &cause{Event: portner.EventRefused, Reason: "userinfo_scope_missing", GrantID: grant.ID},
		}
	}
	f.clientAMR = access.ClientAMR
	out, err := encode(&userInfo{Sub: f.sub})
	if err != nil {
		return nil, err
	}
	if err := x.minter.addClaims(ctx, out, UserInfo, &f, access.Scopes); err != nil {
		out.free()
		return nil, err
	}
	return out, nil
}

// maxToken bounds what is taken for a token; one of ours is shorter (security section 0.6).
const maxToken = 32 << 10

// userInfo holds the base claims of a userinfo response. Claims functions add the others.
type userInfo struct {
	Sub string `json:"sub"`
}
