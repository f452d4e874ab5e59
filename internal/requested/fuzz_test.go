package requested_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/requested"
)

// FuzzDecode: claims that are decoded are the same after encoding.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{"", "{}", "null", "[]", `{"id_token":["name"],"userinfo":["email"]}`, `{"id_token":["a","a"]}`, `{"id_token":[1]}`, `{"IDToken":["pid"],"UserInfo":["sub"]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		claims, err := requested.Decode(text)
		if err != nil {
			require.Zero(t, claims)
			return
		}
		again, err := requested.Decode(claims.Encode())
		require.NoError(t, err)
		require.Equal(t, claims.Encode(), again.Encode())
	})
}
