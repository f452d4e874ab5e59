package httpx_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/httpx"
)

func TestBearerToken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		values []string
		token  string
		err    error
	}{
		"token":                  {[]string{"Bearer abc-._~+/9=="}, "abc-._~+/9==", nil},
		"scheme in another case": {[]string{"bEARER abc"}, "abc", nil},
		"several spaces":         {[]string{"Bearer   abc"}, "abc", nil},
		"no header field":        {nil, "", httpx.ErrNoToken},
		"another scheme":         {[]string{"Basic YTpi"}, "", httpx.ErrNoToken},
		"DPoP":                   {[]string{"DPoP abc"}, "", httpx.ErrNoToken},
		"longer scheme":          {[]string{"Bearers abc"}, "", httpx.ErrNoToken},
		"two header fields":      {[]string{"Bearer abc", "Basic YTpi"}, "", httpx.ErrAuthorizationRepeated},
		"no token":               {[]string{"Bearer"}, "", httpx.ErrAuthorizationInvalid},
		"empty token":            {[]string{"Bearer "}, "", httpx.ErrAuthorizationInvalid},
		"only padding":           {[]string{"Bearer =="}, "", httpx.ErrAuthorizationInvalid},
		"padding in the middle":  {[]string{"Bearer a=b"}, "", httpx.ErrAuthorizationInvalid},
		"comma":                  {[]string{"Bearer abc, Bearer abc"}, "", httpx.ErrAuthorizationInvalid},
		"space at the end":       {[]string{"Bearer abc "}, "", httpx.ErrAuthorizationInvalid},
		"line break":             {[]string{"Bearer a\nb"}, "", httpx.ErrAuthorizationInvalid},
		"not ASCII":              {[]string{"Bearer æ"}, "", httpx.ErrAuthorizationInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := httpx.BearerToken(tt.values)
			require.Equal(t, tt.token, token)
			require.Equal(t, tt.err, err)
		})
	}
}

func TestAccessToken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		values []string
		scheme httpx.Scheme
		token  string
		err    error
	}{
		"bearer token":                   {[]string{"Bearer abc"}, httpx.Bearer, "abc", nil},
		"bound token":                    {[]string{"DPoP abc"}, httpx.DPoP, "abc", nil},
		"scheme in another case":         {[]string{"dpop abc"}, httpx.DPoP, "abc", nil},
		"another scheme":                 {[]string{"Basic YTpi"}, "", "", httpx.ErrNoToken},
		"longer scheme":                  {[]string{"DPoPs abc"}, "", "", httpx.ErrNoToken},
		"no header field":                {nil, "", "", httpx.ErrNoToken},
		"two schemes in two fields":      {[]string{"Bearer abc", "DPoP abc"}, "", "", httpx.ErrAuthorizationRepeated},
		"two schemes in one field":       {[]string{"DPoP abc, Bearer abc"}, httpx.DPoP, "", httpx.ErrAuthorizationInvalid},
		"bound token of a wrong form":    {[]string{"DPoP a=b"}, httpx.DPoP, "", httpx.ErrAuthorizationInvalid},
		"bound token that is not there":  {[]string{"DPoP "}, httpx.DPoP, "", httpx.ErrAuthorizationInvalid},
		"bearer token that is not there": {[]string{"Bearer"}, httpx.Bearer, "", httpx.ErrAuthorizationInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scheme, token, err := httpx.AccessToken(tt.values)
			require.Equal(t, tt.scheme, scheme)
			require.Equal(t, tt.token, token)
			require.Equal(t, tt.err, err)
		})
	}
}
