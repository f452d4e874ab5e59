package resource

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/resource"
)

func TestProtect(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	require.NoError(t, protect(mux, http.NotFoundHandler()))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/tax", nil))
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Equal(t, `Bearer realm="api"`, w.Header().Get("Www-Authenticate"))
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	now := time.Now()
	jwks, _ := keys.JWKS(now)
	api, err := resource.New(resource.Config{
		Issuer: "https://test.idporten.no", Keys: resource.StaticKeys(jwks), URL: "https://api.example.no",
	})
	require.NoError(t, err)
	bearer := func(scope, more string) []string {
		token, err := keys.Sign("", "at+jwt", fmt.Appendf(nil, `{"iss":"https://test.idporten.no","aud":"https://api.example.no","sub":"u1","jti":"1",
			"client_id":"app","scope":%q,"acr":"idporten-loa-high","iat":%d,"exp":%d%s}`, scope, now.Unix(), now.Unix()+60, more), now)
		require.NoError(t, err)
		return []string{"Bearer " + token}
	}
	token, err := allowed(t.Context(), api, "", bearer("skatt:les", ""))
	require.NoError(t, err)
	require.Equal(t, "u1", token.Subject)
	for reason, authorization := range map[string][]string{
		"token_missing": nil, "scope_missing": bearer("skatt:skriv", ""), "token_sender_constrained": bearer("skatt:les", `,"cnf":{"jkt":"IxSUCTtzAn5x6OAE4wIrMvTVaOT05P-F3Whveob0pe4"}`),
	} {
		_, err = allowed(t.Context(), api, "", authorization)
		var rejected *resource.Error
		require.ErrorAs(t, err, &rejected, reason)
		require.Equal(t, reason, rejected.Reason)
	}
	_, err = allowed(t.Context(), api, "access_token=x", nil)
	require.Equal(t, http.StatusBadRequest, api.Reply(err).Status)
}
