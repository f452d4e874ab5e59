package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// twoIssuers returns a test provider, and one that differs in the issuer only: same secrets, keys, store, registrations and origin of
// the pages. Browsers of the first send their requests to the one that use selects.
func twoIssuers(t *testing.T) (op *optest.OP, use func(foreign bool)) {
	t.Helper()
	var cfg provider.Config
	op = optest.New(t, optest.Options{Change: func(c *provider.Config) {
		c.Profile.ConfirmLogout = true
		cfg = *c
	}})
	own := op.Provider
	cfg.Issuer, cfg.BrowserURL = "https://other.example.no", cfg.Issuer
	other, err := provider.New(cfg)
	require.NoError(t, err)
	return op, func(foreign bool) {
		if op.Use(own); foreign {
			op.Use(other)
		}
	}
}

// Two issuers with the same secrets and the same store accept nothing that the other one sealed. Each value is accepted by its own
// issuer, also after the other one has refused it. The subtests are named after the purposes of internal/archtest TestSealedValues.
func TestValuesOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	for purpose, verify := range map[string]func(t *testing.T, op *optest.OP, use func(bool)){
		"authorize waiting": func(t *testing.T, op *optest.OP, use func(bool)) {
			b := op.Browser()
			page := b.Get(t, op.Request("tjeneste", "openid profile").URL())
			require.Equal(t, "login", page.Step())
			use(true)
			refused := b.Get(t, page.URL.String())
			require.Equal(t, http.StatusBadRequest, refused.Status)
			require.Empty(t, refused.Step())
			use(false)
			require.Equal(t, "login", b.Get(t, page.URL.String()).Step())
		},
		"authorize posted": func(t *testing.T, op *optest.OP, use func(bool)) {
			form := op.Request("tjeneste", "openid profile").Params
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, optest.Issuer+"/authorize", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			op.ServeHTTP(w, r)
			require.Contains(t, w.Header().Get("Location"), "portner_posted=")
			u := optest.Issuer + "/authorize" + w.Header().Get("Location")
			use(true)
			refused := op.Browser().Get(t, u)
			require.Equal(t, http.StatusBadRequest, refused.Status)
			require.Empty(t, refused.Step())
			use(false)
			require.Equal(t, "login", op.Browser().Get(t, u).Step())
		},
		"authorize pushed": func(t *testing.T, op *optest.OP, use func(bool)) {
			a := op.Call(t, "/par", "tjeneste", op.Request("tjeneste", "openid profile").Params)
			require.Equal(t, http.StatusCreated, a.Status, a.JSON)
			u := optest.Issuer + "/authorize?" + url.Values{"client_id": {"tjeneste"}, "request_uri": {a.String("request_uri")}}.Encode()
			use(true)
			refused := op.Browser().Get(t, u)
			require.Equal(t, http.StatusInternalServerError, refused.Status)
			use(false)
			require.Equal(t, "login", op.Browser().Get(t, u).Step())
		},
		"logout": func(t *testing.T, op *optest.OP, use func(bool)) {
			b := op.Browser()
			request := op.Request("tjeneste", "openid profile")
			require.NotNil(t, b.Login(t, request, "kari").Left)
			page := b.Get(t, optest.Issuer+"/logout")
			require.Equal(t, http.StatusOK, page.Status)
			token := regexp.MustCompile(`name="logout_confirmation" value="([^"]+)"`).FindStringSubmatch(page.Body)
			require.Len(t, token, 2, page.Body)
			use(true)
			refused := b.Post(t, page, url.Values{"logout_confirmation": {token[1]}})
			require.Equal(t, http.StatusForbidden, refused.Status)
			use(false)
			require.NotNil(t, b.Get(t, request.URL()).Left, "the session has not ended")
			require.Equal(t, http.StatusOK, b.Post(t, page, url.Values{"logout_confirmation": {token[1]}}).Status)
			require.Equal(t, "login", b.Get(t, request.URL()).Step())
		},
		"identity": func(t *testing.T, op *optest.OP, use func(bool)) {
			b := op.Browser()
			request := op.Request("tjeneste", "openid profile")
			code := b.Login(t, request, "kari").Code(t)
			kept := op.Request("tjeneste", "openid profile test:api")
			tokens := op.Exchange(t, kept, b.Login(t, kept, "kari").Code(t))
			use(true)
			refused := b.Get(t, op.Request("tjeneste", "openid profile").URL())
			require.NotNil(t, refused.Left)
			require.Equal(t, "server_error", refused.Left.Query().Get("error"))
			require.NotEqual(t, http.StatusOK, op.Exchange(t, request, code).Status)
			require.NotEqual(t, http.StatusOK, op.UserInfo(t, tokens.String("access_token")).Status)
			require.NotEqual(t, http.StatusOK, op.Refresh(t, "tjeneste", tokens.String("refresh_token")).Status)
			introspected := op.Introspect(t, "owner", tokens.String("access_token"))
			require.NotEqual(t, true, introspected.JSON["active"])
			use(false)
			require.Equal(t, http.StatusOK, op.Exchange(t, request, code).Status)
			require.Equal(t, http.StatusOK, op.UserInfo(t, tokens.String("access_token")).Status)
			require.Equal(t, true, op.Introspect(t, "owner", tokens.String("access_token")).JSON["active"])
		},
	} {
		t.Run(purpose, func(t *testing.T) {
			t.Parallel()
			op, use := twoIssuers(t)
			verify(t, op, use)
		})
	}
}
