package docs_test

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/portner-go/portner/pkce"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
)

var pages = template.Must(template.New("login").Parse(`<form method="post">
	<input type="hidden" name="request" value="{{.Sealed}}"><input type="hidden" name="csrf" value="{{.CSRF}}">
	<input name="user"><input name="password" type="password"><button>Log in</button></form>`))

// passwordOK stands for the user directory of the host.
func passwordOK(user, password string) bool {
	return user == "kari" && subtle.ConstantTimeCompare([]byte(password), []byte("passord")) == 1
}

func newProvider(ctx context.Context) (http.Handler, error) {
	keys, err1 := keyset.Directory{Path: "keys", Alg: keyset.ES256}.Open() // the first start creates a key
	clients, err2 := client.NewRegistry(client.Environment{}, client.Client{
		ClientID: "my-app", ApplicationType: client.Native, RedirectURIs: []string{"http://127.0.0.1/cb"}, Scopes: []string{"openid", "profile"},
	})
	op, err3 := provider.New(provider.Config{
		Issuer: "https://login.example.no", Profile: provider.OpenIDConnect(), Store: memory.New(), Keys: keys, Clients: clients,
		Page:        page, // at /login, /step-up and /consent
		Secrets:     []portner.Secret{portner.Secret(os.Getenv("LOGIN_SECRET"))},
		PairwiseKey: portner.Secret(os.Getenv("LOGIN_PAIRWISE_KEY")),
	})
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err // every problem of the configuration, with the name of its field
	}
	go keys.Run(ctx)
	return op, nil // http.Server{Addr: "localhost:8080", Handler: op, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
}

func page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	if user := r.PostForm.Get("user"); r.Method == http.MethodPost && passwordOK(user, r.PostForm.Get("password")) {
		return p.LogIn(r.Context(), session.Authentication{Identity: session.Identity{Subject: user}, AMR: []string{"pwd"}})
	}
	_ = pages.ExecuteTemplate(w, string(p.Step), p) // the form posts the fields request and csrf back
	return nil
}

func TestREADMEProgram(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := newProvider(t.Context())
	require.ErrorContains(t, err, "Secrets[0]")
	require.ErrorContains(t, err, "PairwiseKey")
	t.Setenv("LOGIN_SECRET", rand.Text()+rand.Text())
	t.Setenv("LOGIN_PAIRWISE_KEY", rand.Text()+rand.Text())
	op, err := newProvider(t.Context())
	require.NoError(t, err)
	get := func(path string, cookies []*http.Cookie) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "https://login.example.no"+path, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		op.ServeHTTP(w, r)
		return w
	}
	require.Equal(t, http.StatusOK, get("/.well-known/openid-configuration", nil).Code)
	q := url.Values{
		"response_type": {"code"}, "client_id": {"my-app"}, "redirect_uri": {"http://127.0.0.1/cb"}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {pkce.Challenge(pkce.NewVerifier())}, "code_challenge_method": {"S256"},
	}
	w := get("/authorize?"+q.Encode(), nil)
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	w = get(strings.TrimPrefix(w.Header().Get("Location"), "https://login.example.no"), w.Result().Cookies())
	require.Contains(t, w.Body.String(), `name="password"`)
}
