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
		"no header field":        {nil, "", httpx.ErrNoBearerToken},
		"another scheme":         {[]string{"Basic YTpi"}, "", httpx.ErrNoBearerToken},
		"DPoP":                   {[]string{"DPoP abc"}, "", httpx.ErrNoBearerToken},
		"longer scheme":          {[]string{"Bearers abc"}, "", httpx.ErrNoBearerToken},
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
