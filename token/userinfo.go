package token

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/scope"
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
func (e *Endpoint) describe(ctx context.Context, x *exchange, token string) (*document, error) {
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
	c, ok, err := x.findClient(ctx, grant.ClientID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, invalidToken("client_gone", grant.ID)
	}
	x.identified(c)
	id, err := e.minter.identity(&grant)
	if err != nil {
		return nil, err
	}
	p := e.minter.person(c, &grant, &id)
	if !slices.Contains(access.Scopes, p.claims.userInfoScope()) || p.sub == "" {
		return nil, &portner.Error{
			Code: portner.InsufficientScope, Description: "The access token may not be used here.",
			Err: &cause{Event: portner.EventRefused, Reason: "scope", GrantID: grant.ID},
		}
	}
	user, err := e.minter.standing(ctx, &grant, &id, x.now)
	if reason, yes := takenBack(err); yes {
		return nil, invalidToken(reason, grant.ID)
	} else if err != nil {
		return nil, err
	}
	return p.userInfo(access.Scopes, grant.Locale, user.Claims)
}

// maxToken bounds what is taken for a token; one of ours is shorter (security section 0.6).
const maxToken = 32 << 10

func (c *Claims) userInfoScope() string {
	if c.UserInfoScope == "" {
		return scope.OpenID
	}
	return c.UserInfoScope
}

// userInfo is ID-porten's answer.
type userInfo struct {
	Sub    string `json:"sub"`
	Locale string `json:"locale,omitempty"`
	identityClaims
}

// userInfo encodes the answer and checks its final bytes.
func (p *person) userInfo(scopes []string, locale string, known map[string]any) (*document, error) {
	answer := userInfo{Sub: p.sub}
	standard := p.claims.Standard && !p.pseudonymous
	if p.claims.IDPorten {
		answer.identityClaims = p.identify()
	}
	if _, told := known["locale"]; slices.Contains(scopes, scope.Profile) && !(standard && told) {
		answer.Locale = locale // of the pages; a locale the host knows the person by goes before
	}
	doc := newDocument()
	err := doc.add(&answer)
	if err == nil && standard {
		err = p.standardClaims(doc, scopes, &answer, known)
	}
	if err == nil {
		err = p.checkLeak(doc.bytes())
	}
	if err != nil {
		doc.free()
		return nil, err
	}
	return doc, nil
}
