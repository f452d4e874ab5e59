package provider_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// laterScopes has another record of a scope after change.
type laterScopes struct {
	scope.Source
	mu    sync.Mutex
	later *scope.Scope
}

func (s *laterScopes) Scope(name string) *scope.Scope {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.later != nil && s.later.Name == name {
		return s.later
	}
	return s.Source.Scope(name)
}

func (s *laterScopes) change(to scope.Scope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.later = &to
}

// TestConsentIsForTheTextShown checks that a consent is remembered for the version of the texts that the page showed, also if the scope
// changes while the form is handled.
func TestConsentIsForTheTextShown(t *testing.T) {
	t.Parallel()
	scopes := &laterScopes{}
	op := optest.New(t, optest.Options{Change: func(cfg *provider.Config) {
		scopes.Source, cfg.Scopes = cfg.Scopes, scopes
		page := cfg.Page
		cfg.Page = func(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
			if p.Step == authorize.ConsentStep && r.Method == http.MethodPost {
				later := *scopes.Source.Scope("test:consent")
				later.ConsentVersion, later.Description = "2", "Everything"
				scopes.change(later)
			}
			return page(w, r, p)
		}
	}})
	b := op.Browser()
	p := b.Login(t, op.Request("tjeneste", "openid test:consent"), "kari")
	require.Equal(t, "consent", p.Step())
	b.Post(t, p, url.Values{"scope": {"test:consent"}})
	consents, err := op.Store.Consents(t.Context(), storage.ConsentKey{UserKey: op.Vault.UserKey("kari"), ClientID: "tjeneste"}, time.Now())
	require.NoError(t, err)
	for _, c := range consents {
		require.Empty(t, c.Version, "the user saw the text without a version")
	}
}

// laterClients has another registration of a client after change.
type laterClients struct {
	mu      sync.Mutex
	clients map[string]*client.Client
}

func (s *laterClients) Client(_ context.Context, id string) (*client.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.clients[id]; c != nil {
		return c, nil
	}
	return nil, storage.ErrNotFound
}

// TestConfirmationAfterARegistrationChanged checks that a confirmed logout leads to a URI only if it is still registered for a client
// that is still enabled.
func TestConfirmationAfterARegistrationChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*client.Client){
		"unchanged":           func(*client.Client) {},
		"the URI is removed":  func(c *client.Client) { c.PostLogoutRedirectURIs = nil },
		"the client disabled": func(c *client.Client) { c.Disabled = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clients := &laterClients{clients: map[string]*client.Client{}}
			for _, c := range optest.Clients(t) {
				clients.clients[c.ClientID] = &c
			}
			op := optest.New(t, optest.Options{Change: func(cfg *provider.Config) { cfg.Clients, cfg.Profile.ConfirmLogout = clients, true }})
			b := op.Browser()
			r := op.Request("tjeneste", "openid")
			op.Exchange(t, r, b.Login(t, r, "kari").Code(t))
			send := func(r *http.Request) *httptest.ResponseRecorder {
				for n, v := range b.Cookies() {
					r.AddCookie(&http.Cookie{Name: n, Value: v})
				}
				w := httptest.NewRecorder()
				op.ServeHTTP(w, r)
				return w
			}
			uri := optest.RedirectURI("annen") + "/out"
			w := send(httptest.NewRequest(http.MethodGet,
				optest.Issuer+"/logout?"+url.Values{"client_id": {"annen"}, "post_logout_redirect_uri": {uri}, "state": {"s"}}.Encode(), nil))
			_, rest, found := strings.Cut(w.Body.String(), `name="logout_confirmation" value="`)
			require.True(t, found, w.Body.String())
			token, _, _ := strings.Cut(rest, `"`)

			clients.mu.Lock()
			c := *clients.clients["annen"]
			change(&c)
			clients.clients["annen"] = &c
			clients.mu.Unlock()
			post := httptest.NewRequest(http.MethodPost, optest.Issuer+"/logout", strings.NewReader(url.Values{"logout_confirmation": {token}}.Encode()))
			post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			post.Header.Set("Origin", optest.Issuer)
			w = send(post)
			if name == "unchanged" {
				require.Contains(t, w.Header().Get("Location")+w.Body.String(), uri+"?state=s")
				return
			}
			require.Empty(t, w.Header().Get("Location"))
			require.NotContains(t, w.Body.String(), uri)
		})
	}
}
