package altinn_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/optest"
)

// FuzzBearer checks that only tokens of trusted issuers are exchanged, and that rejections have the documented bodies.
func FuzzBearer(f *testing.F) {
	w := newWorld(f)
	for _, seed := range [][2]string{
		{"maskinporten", "Bearer " + w.machine()},
		{"id-porten", "bearer a.b.c"},
		{"google", "Bearer e30.e30."},
		{"", "Basic x"},
		{"maskinporten", ""},
		{"%2e%2e", "Bearer\te30.e30.AA"},
	} {
		f.Add(seed[0], seed[1])
	}
	other := newWorld(f)
	f.Fuzz(func(t *testing.T, provider, authorization string) {
		r := httptest.NewRequest(http.MethodGet, altinn.ExchangePath+"x", nil)
		r.URL.Path = altinn.ExchangePath + provider
		r.Header["Authorization"] = []string{authorization}
		a := httptest.NewRecorder()
		other.ServeHTTP(a, r)
		switch a.Code {
		case http.StatusUnauthorized:
			require.Empty(t, a.Body.String())
		case http.StatusBadRequest:
			require.True(t, strings.HasPrefix(a.Body.String(), "Invalid token provider: "))
			require.Less(t, len(a.Body.String()), 250)
		case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusNotFound: // the mux cleans paths
			require.True(t, strings.ContainsAny(provider, "/.") || provider == "")
		default:
			t.Fatalf("status %d", a.Code)
		}
	})
}

var nineDigits = regexp.MustCompile(`^[0-9]{9}$`)

// FuzzClaims checks that the claims of Altinn are set by this package and occur once, whatever a trusted issuer signs.
func FuzzClaims(f *testing.F) {
	w := newWorld(f)
	for _, seed := range []string{w.machine(), w.machine(change{"urn:altinn:org": "x", "IAT": 1, "x": nil}), w.person()} {
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(seed, ".")[1])
		require.NoError(f, err)
		f.Add(string(payload))
	}
	f.Add(`{"iss":"https://test.maskinporten.no/","exp":1757498492,"iat":1757498372,"consumer":{"authority":"iso6523-actorid-upis","ID":"0192:1:2"}}`)
	f.Add(`{"iss":"https://test.maskinporten.no/","exp":1757498492,"iat":1757498372,"consumer":{"authority":"iso6523-actorid-upis","ID":"0192:314240979"},
		"scope":"altinn:broker.read","jtI":"a-jti"}`)
	f.Fuzz(func(t *testing.T, payload string) {
		jwt, err := w.ofMaskinporten.Sign("", "", []byte(payload), start)
		require.NoError(t, err)
		a := httptest.NewRecorder()
		w.ServeHTTP(a, request("maskinporten", jwt))
		if a.Code != http.StatusOK {
			require.Equal(t, http.StatusUnauthorized, a.Code)
			return
		}
		made, _ := optest.Verified(t, w.keys, a.Body.String(), start)
		c, err := jose.ParseObject(made) // rejects repeated names, without regard to case
		require.NoError(t, err)
		iss, err := c.String("iss")
		require.NoError(t, err)
		require.Equal(t, issuer, iss)
		level, err := c.Int("urn:altinn:authlevel")
		require.NoError(t, err)
		require.EqualValues(t, 3, level)
		number, err := c.String("urn:altinn:orgNumber")
		require.NoError(t, err)
		require.Regexp(t, nineDigits, number)
		exp, err := c.Int("exp")
		require.NoError(t, err)
		require.Equal(t, start.Unix()+1800, exp)
		known := map[string]bool{"urn:altinn:org": true, "urn:altinn:orgNumber": true, "urn:altinn:authenticatemethod": true, "urn:altinn:authlevel": true}
		for _, name := range c.Names() {
			require.False(t, strings.HasPrefix(strings.ToLower(name), "urn:altinn:") && !known[name], name)
			require.NotContains(t, []string{"aud", "client_amr", "nameid"}, strings.ToLower(name))
		}
	})
}
