package portnertest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// Token describes an access token to be minted. The zero value is a token that an API accepts, if it requires no scope.
type Token struct {
	User   string   // default kari; ignored by services for machines
	Scopes []string // scopes of the token
	ACR    string   // level of the login; the default is that of the service
	// ClientID is the client_id of the client. If "", it is a client of Consumer.
	ClientID string
	// Consumer is the organisation of the client. The default is that of the client.
	Consumer string
	// Supplier is the organisation that acts for Consumer. If "", Consumer acts for itself.
	Supplier string
	// Audience is the aud. If "", it is that of the service.
	Audience string
	// Claims replace claims, or add some; nil removes one.
	Claims map[string]any
	// Fault is a defect of the token.
	Fault Fault
	// DPoP is the key that the token is bound to. It is required where the service binds every token.
	DPoP *Prover
}

// minted is a token of a login.
type minted struct{ access, id string }

// MintToken returns an access token without a browser, for tests of APIs: it has the form that the service gives its tokens, with the changes
// of tok. The provider introspects it with these changes. A token with a defect is not active, except that RevokedToken and ExpiredToken
// were.
func (p *Provider) MintToken(t testing.TB, tok Token) string {
	t.Helper()
	token, err := p.mint(tok)
	if err != nil {
		t.Fatalf("portnertest: MintToken: %v", err)
	}
	return token
}

func (p *Provider) mint(tok Token) (string, error) {
	if tok.Fault < NoFault || tok.Fault > IDTokenInstead {
		return "", invalid("Fault", "%v is no defect of a token", tok.Fault)
	}
	if p.system.bound && tok.DPoP == nil {
		return "", invalid("DPoP", "is required: the service binds every token to a key (NewProver)")
	}
	if err := checkScopes(tok.Scopes); err != nil {
		return "", err
	}
	for _, name := range tok.Scopes {
		p.clients.addScope(scope.Scope{Name: name})
	}
	base, err := p.system.mint(tok)
	switch {
	case err != nil:
		return "", err
	case tok.Fault == IDTokenInstead && base.id == "":
		return "", invalid("Fault", "the service issues no id_tokens")
	case tok.Fault == IDTokenInstead:
		return base.id, nil
	case tok.Fault == RevokedToken:
		return base.access, p.revoke(base.access)
	}
	changed, err := p.change(base.access, tok)
	if err == nil && changed != base.access && tok.Fault == NoFault {
		p.mu.Lock()
		p.changed[storage.HashOf(changed)] = change{base.access, tok.changes()}
		p.mu.Unlock()
	}
	return changed, err
}

// change is a minted token whose claims differ from those of the token that the store has.
type change struct {
	base   string
	claims map[string]any
}

// changes returns the claims that the token does not get from the service.
func (tok Token) changes() map[string]any {
	changes := maps.Clone(tok.Claims)
	if changes == nil {
		changes = map[string]any{}
	}
	if tok.Audience != "" && !isResource(tok.Audience) {
		changes["aud"] = tok.Audience
	}
	return changes
}

// isResource reports whether an audience can be requested as a resource (RFC 8707 §2).
func isResource(audience string) bool {
	u, err := url.Parse(audience)
	return err == nil && u.IsAbs() && u.Fragment == ""
}

// change changes the claims of a token, and signs it again.
func (p *Provider) change(token string, tok Token) (string, error) {
	changes := tok.changes()
	now := p.Now().Unix()
	switch tok.Fault {
	case ExpiredToken:
		changes["iat"], changes["nbf"], changes["exp"] = now-3720, now-3720, now-3600
	case FutureToken:
		changes["iat"], changes["nbf"], changes["exp"] = now+3600, now+3600, now+3720
	case ForeignAudience:
		changes["aud"] = "https://another.example.com"
	case ForeignIssuer:
		changes["iss"] = "https://another.example.com"
	}
	if len(changes) == 0 && tok.Fault == NoFault {
		return token, nil
	}
	claims, err := decode(token)
	if err != nil {
		return "", fmt.Errorf("an opaque token has no claims to change: %w", err)
	}
	for name, value := range changes {
		if value == nil {
			delete(claims, name)
		} else if _, present := claims[name]; present || name != "nbf" || tok.Fault == FutureToken {
			claims[name] = value
		}
	}
	if tok.Fault == Unsigned {
		payload, err := json.Marshal(claims)
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
		return header + "." + base64.RawURLEncoding.EncodeToString(payload) + ".", err
	}
	return p.sign(token, claims, tok.Fault == ForeignKey)
}

// clientOf returns a client, or one of an organisation, which is made if there is none.
func (p *Provider) clientOf(clientID, orgno string) (*client.Client, error) {
	if clientID != "" {
		return p.registered(clientID)
	}
	app, err := p.clients.Client(context.Background(), p.clients.first())
	if err != nil || orgno == "" || orgno == app.OrganisationNo {
		return app, err
	}
	id := app.ClientID + "-" + orgno
	if c, err := p.clients.Client(context.Background(), id); err == nil {
		return c, nil
	}
	c := *app
	c.ClientID, c.OrganisationNo = id, orgno
	c.RedirectURIs, c.Scopes, c.Secrets, c.JWKS = nil, nil, nil, nil
	c.FrontchannelLogoutURI, c.BackchannelLogoutURI, c.PostLogoutRedirectURIs = "", "", nil
	if err := p.clients.addClient(c, p.Now()); err != nil {
		return nil, invalid("Consumer", "%w", err)
	}
	return p.clients.Client(context.Background(), id)
}

// registered returns the client that a test names.
func (p *Provider) registered(clientID string) (*client.Client, error) {
	c, err := p.clients.Client(context.Background(), clientID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, invalid("ClientID", "there is no client %q", clientID)
	}
	return c, err
}

// invalid returns the error of a field of the caller's.
func invalid(field, format string, args ...any) error {
	return &portner.FieldError{Field: field, Err: fmt.Errorf(format, args...)}
}

// mintLogin mints a token of a login.
func (p *Provider) mintLogin(tok Token) (minted, error) {
	if tok.Supplier != "" {
		return minted{}, invalid("Supplier", "register a client with supplier_orgno and log in with it")
	}
	c, err := p.clientOf(tok.ClientID, tok.Consumer)
	if err != nil {
		return minted{}, err
	}
	l := Login{User: tok.User, ClientID: c.ClientID, ACR: tok.ACR, Scopes: tok.Scopes, Parameters: map[string]string{}}
	if isResource(tok.Audience) {
		l.Parameters["resource"] = tok.Audience
	}
	tokens, err := p.logIn(l, tok.DPoP)
	return minted{tokens.AccessToken, tokens.IDToken}, err
}

// unchange replaces a minted token in a request for introspection by the one that the store has. It returns the claims that the answer
// gets.
func (p *Provider) unchange(c *call) (body []byte, claims map[string]any) {
	if c.Endpoint != "introspect" {
		return nil, nil
	}
	p.mu.Lock()
	known, ok := p.changed[storage.HashOf(c.form.Get("token"))]
	p.mu.Unlock()
	if !ok {
		return nil, nil
	}
	form := maps.Clone(c.form)
	form["token"] = []string{known.base}
	return []byte(form.Encode()), known.claims
}

// addClaims adds claims to an active introspection response.
func (c *call) addClaims(claims map[string]any) {
	if len(claims) == 0 || c.json["active"] != true {
		return
	}
	maps.Copy(c.json, claims)
	maps.DeleteFunc(c.json, func(_ string, v any) bool { return v == nil })
	c.setBody(c.json)
}

// scopeText returns scopes as a parameter.
func scopeText(scopes []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(scopes))), " ")
}
