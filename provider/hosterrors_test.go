package provider_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// host counts the calls of everything that a host implements. The call number failing returns err.
type host struct {
	calls   []string
	failing int // 0 for none
	err     error
}

func (h *host) called(name string) error {
	h.calls = append(h.calls, name)
	if len(h.calls) == h.failing {
		return h.err
	}
	return nil
}

// hostStore is a store whose verbs can fail.
type hostStore struct {
	*memory.Store
	*host
}

func (s hostStore) Session(ctx context.Context, h storage.Hash, now time.Time) (v storage.Session, err error) {
	if err = s.called("Session"); err == nil {
		v, err = s.Store.Session(ctx, h, now)
	}
	return v, err
}

func (s hostStore) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (v []storage.Session, err error) {
	if err = s.called("ReplaceSession"); err == nil {
		v, err = s.Store.ReplaceSession(ctx, old, next, limit, now)
	}
	return v, err
}

func (s hostStore) EndSession(ctx context.Context, h storage.Hash, now time.Time) (v storage.Session, err error) {
	if err = s.called("EndSession"); err == nil {
		v, err = s.Store.EndSession(ctx, h, now)
	}
	return v, err
}

func (s hostStore) Consents(ctx context.Context, k storage.ConsentKey, now time.Time) (v []storage.Consent, err error) {
	if err = s.called("Consents"); err == nil {
		v, err = s.Store.Consents(ctx, k, now)
	}
	return v, err
}

func (s hostStore) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	if err := s.called("FinishRequest"); err != nil {
		return err
	}
	return s.Store.FinishRequest(ctx, o, now)
}

func (s hostStore) Code(ctx context.Context, h storage.Hash, now time.Time) (v storage.AuthorizationCode, err error) {
	if err = s.called("Code"); err == nil {
		v, err = s.Store.Code(ctx, h, now)
	}
	return v, err
}

func (s hostStore) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	if err := s.called("RedeemCode"); err != nil {
		return err
	}
	return s.Store.RedeemCode(ctx, h, i, now)
}

func (s hostStore) RotateRefreshToken(ctx context.Context, h storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	if err := s.called("RotateRefreshToken"); err != nil {
		return err
	}
	return s.Store.RotateRefreshToken(ctx, h, i, grace, now)
}

func (s hostStore) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	if err := s.called("Revoke"); err != nil {
		return err
	}
	return s.Store.Revoke(ctx, r, now)
}

func (s hostStore) PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error {
	if err := s.called("PushRequest"); err != nil {
		return err
	}
	return s.Store.PushRequest(ctx, p, now)
}

func (s hostStore) PushedRequest(ctx context.Context, h storage.Hash, now time.Time) (v storage.PushedRequest, err error) {
	if err = s.called("PushedRequest"); err == nil {
		v, err = s.Store.PushedRequest(ctx, h, now)
	}
	return v, err
}

func (s hostStore) ConsumePushedRequest(ctx context.Context, h storage.Hash, now time.Time) error {
	if err := s.called("ConsumePushedRequest"); err != nil {
		return err
	}
	return s.Store.ConsumePushedRequest(ctx, h, now)
}

func (s hostStore) ConsumeJTI(ctx context.Context, owner string, h storage.Hash, end, now time.Time) error {
	if err := s.called("ConsumeJTI"); err != nil {
		return err
	}
	return s.Store.ConsumeJTI(ctx, owner, h, end, now)
}

func (s hostStore) RecordLogin(ctx context.Context, l storage.Login, now time.Time) error {
	if err := s.called("RecordLogin"); err != nil {
		return err
	}
	return s.Store.RecordLogin(ctx, l, now)
}

func (s hostStore) RefreshToken(ctx context.Context, h storage.Hash, now time.Time) (v storage.RefreshToken, g storage.Grant, err error) {
	if err = s.called("RefreshToken"); err == nil {
		v, g, err = s.Store.RefreshToken(ctx, h, now)
	}
	return v, g, err
}

func (s hostStore) AccessToken(ctx context.Context, h storage.Hash, now time.Time) (v storage.AccessToken, g storage.Grant, err error) {
	if err = s.called("AccessToken"); err == nil {
		v, g, err = s.Store.AccessToken(ctx, h, now)
	}
	return v, g, err
}

// hostSigner is a key whose signatures can fail.
type hostSigner struct {
	crypto.Signer
	*host
}

func (s hostSigner) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if err := s.called("Sign"); err != nil {
		return nil, err
	}
	return s.Signer.Sign(r, digest, o)
}

// details is a type of authorization_details whose functions can fail.
func (h *host) details() rar.Type {
	return rar.Type{
		Name:     "demo",
		Validate: func(rar.Detail) error { return h.called("Validate") },
		Choices: func(context.Context, rar.Request, []rar.Detail) ([]rar.Choice, error) {
			return []rar.Choice{{ID: "one", Name: "One"}}, h.called("Choices")
		},
		Grant: func(_ context.Context, _ rar.Request, details []rar.Detail, _ []string) ([]json.RawMessage, error) {
			return []json.RawMessage{details[0].JSON}, h.called("Grant")
		},
		Refresh: func(_ context.Context, _ rar.Request, granted []rar.Detail) ([]json.RawMessage, error) {
			return []json.RawMessage{granted[0].JSON}, h.called("Refresh")
		},
	}
}

// answers collects what the provider sends.
type answers struct {
	texts  []string
	faults []string
}

func (a *answers) add(parts ...any) { a.texts = append(a.texts, fmt.Sprint(parts...)) }

// run sends a request to every endpoint and reports the calls of the host.
func (h *host) run(t *testing.T) (a answers) {
	t.Helper()
	keys := newSigningKey(t)
	app := optest.Clients(t)[0]
	app.ClientID, app.RedirectURIs, app.FrontchannelLogoutURI = "app", []string{optest.RedirectURI("app")}, ""
	machine := optest.Clients(t)[0]
	machine.ClientID, machine.RedirectURIs, machine.FrontchannelLogoutURI = "machine", []string{optest.RedirectURI("machine")}, ""
	machine.TokenEndpointAuthMethod, machine.Secrets = "private_key_jwt", nil
	machine.JWKS, _ = keys.JWKS(time.Now())
	armed := &host{}
	op := optest.New(t, optest.Options{Keys: newHostKeys(t, armed), Clients: []client.Client{app, machine}, Change: func(c *provider.Config) {
		c.Profile.ConfirmLogout = true
		store := hostStore{c.Store.(*memory.Store), armed}
		c.Store, c.PushedRequests, c.Replay, c.History = store, store, store, store
		clients := c.Clients
		c.Clients = client.SourceFunc(func(ctx context.Context, id string) (*client.Client, error) {
			if err := armed.called("Client"); err != nil {
				return nil, err
			}
			return clients.Client(ctx, id)
		})
		c.Users = token.UserFunc(func(context.Context, string) (token.User, error) { return token.User{}, armed.called("User") })
		c.Claims = func(context.Context, *token.Document) error { return armed.called("Claims") }
		var err error
		c.AuthorizationDetails, err = rar.NewRegistry(armed.details())
		require.NoError(t, err)
		c.OnEvent = func(_ context.Context, e portner.Event) {
			if e.Name == portner.EventFault {
				a.faults = append(a.faults, string(e.Name))
			}
		}
	}})
	armed.failing, armed.err, armed.calls = h.failing, h.err, nil // the keys were tried when they were loaded
	defer func() { h.calls = armed.calls }()

	b := op.Browser()
	page := func(p optest.Page) optest.Page {
		left := ""
		if p.Left != nil {
			left = p.Left.String()
		}
		a.add(p.Status, p.Body, p.Header, left)
		return p
	}
	answer := func(x optest.Answer) optest.Answer { a.add(x.Status, x.JSON, x.Header); return x }
	logIn := func(r optest.Request, u string) (code string) {
		p := page(b.Get(t, u))
		for range 3 {
			if p.Step() == "" {
				break
			}
			p = page(b.Post(t, p, url.Values{"user": {"kari"}, "choice": {"one"}, "scope": {"test:consent"}}))
		}
		if p.Left != nil {
			code = p.Left.Query().Get("code")
		}
		return code
	}
	const detail = `[{"type":"demo"}]`
	r := op.Request("app", "openid profile test:api test:consent", "authorization_details", detail, "prompt", "login")
	tokens := answer(op.Exchange(t, r, logIn(r, r.URL())))
	access := tokens.String("access_token")
	tokens = answer(op.Refresh(t, "app", tokens.String("refresh_token")))
	answer(op.Introspect(t, "owner", access))
	answer(op.UserInfo(t, access))
	answer(op.Call(t, "/revoke", "app", url.Values{"token": {tokens.String("refresh_token")}}))

	r = op.Request("tjeneste", "openid profile test:opaque")
	pushed := answer(op.Call(t, "/par", "tjeneste", r.Params))
	u := optest.Issuer + "/authorize?" + url.Values{"client_id": {"tjeneste"}, "request_uri": {pushed.String("request_uri")}}.Encode()
	tokens = answer(op.Exchange(t, r, logIn(r, u)))
	answer(op.Introspect(t, "owner", tokens.String("access_token")))
	answer(op.UserInfo(t, tokens.String("access_token")))

	claims, err := json.Marshal(map[string]any{
		"iss": "machine", "sub": "machine", "aud": optest.Issuer, "jti": "one", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	})
	require.NoError(t, err)
	assertion, err := keys.Sign("", "JWT", claims, time.Now())
	require.NoError(t, err)
	form := url.Values{
		"client_id": {"machine"}, "token": {"x"}, "client_assertion": {assertion}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	request := post("/revoke", "", form)
	request.Header.Del("Authorization")
	w := httptest.NewRecorder()
	op.ServeHTTP(w, request)
	a.add(w.Code, w.Body, w.Header())
	p := page(b.Get(t, optest.Issuer+"/logout"))
	if _, rest, ok := strings.Cut(p.Body, `name="logout_confirmation" value="`); ok {
		confirmation, _, _ := strings.Cut(rest, `"`)
		page(b.Post(t, p, url.Values{"logout_confirmation": {confirmation}}))
	}
	return a
}

func newSigningKey(t *testing.T) *keyset.Set {
	t.Helper()
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{signingKey(t, keyset.ES256)}})
	require.NoError(t, err)
	return keys
}

func newHostKeys(t *testing.T, h *host) *keyset.Set {
	t.Helper()
	key := signingKey(t, keyset.EdDSA)
	key.Signer = hostSigner{key.Signer, h}
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	return keys
}

// A *portner.Error of the host's store, sources, keys and functions is a fault at every endpoint: its code and texts are not sent, and
// it is logged.
func TestErrorsOfTheHostAreFaults(t *testing.T) {
	t.Parallel()
	hostile := &portner.Error{
		Code: "canary_code", Description: "canary text", URI: "https://canary.example", Status: http.StatusTeapot,
		Header: map[string][]string{"X-Canary": {"canary"}},
	}
	clean := &host{}
	before := clean.run(t)
	require.Empty(t, before.faults)
	called := map[string]bool{}
	for _, name := range clean.calls {
		called[name] = true
	}
	for _, name := range []string{
		"Session", "ReplaceSession", "EndSession", "Consents", "FinishRequest", "Code", "RedeemCode", "RefreshToken", "RotateRefreshToken",
		"AccessToken", "Revoke", "PushRequest", "PushedRequest", "ConsumePushedRequest", "ConsumeJTI", "RecordLogin", "Client", "User",
		"Claims", "Sign", "Validate", "Choices", "Grant", "Refresh",
	} {
		require.True(t, called[name], "%s is not called", name)
	}
	for form, err := range map[string]error{
		"as it is": hostile, "wrapped": fmt.Errorf("database: %w", hostile), "joined": errors.Join(errors.New("database"), hostile),
	} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			for i, name := range clean.calls {
				h := &host{failing: i + 1, err: err}
				got := h.run(t)
				for _, text := range got.texts {
					if name != "Validate" || form != "as it is" { // rar.Type: the code and description of a *portner.Error are sent, in a redirect
						require.NotContains(t, strings.ToLower(text), "canary", "%s, call %d", name, i+1)
					}
					require.NotContains(t, text, "X-Canary", "%s, call %d", name, i+1)
					require.NotContains(t, text, "canary.example", "%s, call %d", name, i+1)
					require.False(t, strings.HasPrefix(text, "418"), "%s, call %d", name, i+1)
				}
				if name != "Validate" { // its errors say that a value is not valid
					require.NotEmpty(t, got.faults, "%s, call %d", name, i+1)
				}
			}
		})
	}
}
