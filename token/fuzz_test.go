package token_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/httpx"
)

// FuzzTokenForm sends any body to the endpoints that read forms. There is no panic and no fault, only the one valid request receives
// tokens, and errors have the characters of RFC 6749 §5.2 only.
func FuzzTokenForm(f *testing.F) {
	fx := fastFixture(f, nil)
	for _, seed := range []string{
		"", "grant_type=authorization_code", "grant_type=authorization_code&code=x", "grant_type=refresh_token&refresh_token=%00",
		"token=x&token_type_hint=y", "grant_type=authorization_code&grant_type=authorization_code", "=&&=;%zz",
		codeForm(fx.code()).Encode(), refreshForm(fx.login("web").str("refresh_token")).Encode() + "&scope=%22",
		"client_id=spa&grant_type=refresh_token&refresh_token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&resource=a&resource=b",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, body string, authenticated bool) {
		fx.t = t
		for _, h := range []http.Handler{fx.ep, fx.ep.Introspection(), fx.ep.Revocation()} {
			r := fx.request("web", nil)
			sent := httptest.NewRequest(http.MethodPost, "https://idporten.dev/token", strings.NewReader(body))
			sent.Header.Set("Content-Type", formType)
			if authenticated {
				sent.Header = r.Header
			}
			a := fx.sendRequest(h, sent)
			require.Less(t, a.Code, 500, a.Body.String())
			if !authenticated && !strings.Contains(body, "spa") {
				require.NotEqual(t, http.StatusOK, a.Code)
			}
			if a.Code != http.StatusOK {
				require.NotEmpty(t, a.str("error"))
				require.Regexp(t, `^[\x20-\x21\x23-\x5B\x5D-\x7E]*$`, a.str("error_description"))
				require.False(t, len(body) > 20 && strings.Contains(a.Body.String(), body), "nothing is echoed")
			}
		}
	})
}

// FuzzBearer: for any header and query, userinfo accepts exactly the token and no similar text.
func FuzzBearer(f *testing.F) {
	fx := fastFixture(f, nil)
	const mark = "TOKEN"
	at := fx.login("web", "profile", "api:opaque").str("access_token")
	for _, seed := range []string{"Bearer TOKEN", "bearer TOKEN", "Bearer  TOKEN", "Bearer TOKEN ", "BearerTOKEN", "Bearer\tTOKEN", "DPoP TOKEN", "", "Bearer TOKEN, Bearer TOKEN"} {
		f.Add(seed, "")
		f.Add(seed, "access_token=TOKEN")
	}
	f.Add("Bearer TOKEN", strings.Repeat("q", httpx.MaxQuery+1))
	f.Fuzz(func(t *testing.T, header, query string) {
		fx.t = t
		r := httptest.NewRequest(http.MethodGet, "https://idporten.dev/userinfo", nil)
		r.Header["Authorization"] = []string{strings.ReplaceAll(header, mark, at)}
		r.URL.RawQuery = strings.ReplaceAll(query, mark, at)
		a := fx.sendRequest(fx.ep.UserInfo(), r)
		if len(r.URL.RawQuery) > httpx.MaxQuery {
			require.Equal(t, http.StatusRequestEntityTooLarge, a.Code)
			return
		}
		require.Contains(t, []int{200, 400, 401}, a.Code)
		if a.Code == http.StatusOK {
			scheme, rest, _ := strings.Cut(header, " ")
			require.True(t, strings.EqualFold(scheme, "Bearer"))
			require.Equal(t, mark, strings.TrimLeft(rest, " "))
			values, err := url.ParseQuery(query)
			require.NoError(t, err)
			require.NotContains(t, values, "access_token")
		}
	})
}
