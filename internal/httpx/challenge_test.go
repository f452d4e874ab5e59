package httpx_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/httpx"
)

func TestChallenge(t *testing.T) {
	t.Parallel()
	realm, algs := []httpx.Param{{Name: "realm", Value: "https://a"}}, []httpx.Param{{Name: "algs", Value: "ES256 PS256"}}
	invalid := []httpx.Param{{Name: "error", Value: "invalid_token"}, {Name: "error_description", Value: "No."}, {Name: "scope"}}
	both := httpx.Challenge{Bearer: realm, DPoP: algs}
	for name, tt := range map[string]struct {
		accepts httpx.Challenge
		used    httpx.Scheme
		errors  []httpx.Param
		want    string
	}{
		"no token, bearer tokens only":       {httpx.Challenge{Bearer: realm}, "", nil, `Bearer realm="https://a"`},
		"no token, both schemes":             {both, "", nil, `Bearer realm="https://a", DPoP algs="ES256 PS256"`},
		"no token, bound tokens only":        {httpx.Challenge{DPoP: algs}, "", nil, `DPoP algs="ES256 PS256"`},
		"no parameter":                       {httpx.Challenge{Bearer: []httpx.Param{}}, "", nil, `Bearer`},
		"error, bearer tokens only":          {httpx.Challenge{Bearer: realm}, httpx.Bearer, invalid, `Bearer realm="https://a", error="invalid_token", error_description="No."`},
		"error of a bearer token":            {both, httpx.Bearer, invalid, `Bearer realm="https://a", error="invalid_token", error_description="No.", DPoP algs="ES256 PS256"`},
		"bearer token, bound tokens only":    {httpx.Challenge{DPoP: algs}, httpx.Bearer, invalid, `Bearer error="invalid_token", error_description="No.", DPoP algs="ES256 PS256"`},
		"error of a bound token":             {both, httpx.DPoP, invalid, `DPoP error="invalid_token", error_description="No.", algs="ES256 PS256"`},
		"error of a request with two tokens": {both, "", invalid, `Bearer realm="https://a", error="invalid_token", error_description="No.", DPoP error="invalid_token", error_description="No.", algs="ES256 PS256"`},
		"quotes and line breaks":             {httpx.Challenge{Bearer: []httpx.Param{{Name: "realm", Value: "a\"\\\r\nX: bæ"}}}, "", nil, `Bearer realm="aX: b"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, tt.accepts.For(tt.used, tt.errors...))
		})
	}
}
