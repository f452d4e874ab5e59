package jose_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
)

// Texts that contain JSON stay one member of a header or a key, and add no other. Names of members are constants. The encoders of jwx
// have a defect there (GHSA-4cf7-xm37-g63h), and are not called: internal/archtest, rule "jwx".
func TestTextsAreEscaped(t *testing.T) {
	t.Parallel()
	const hostile = `x","jwk":{"kty":"oct","k":"AA"},"y":"`
	s, err := jose.NewSigner(jose.ES256, "key", keys().p256, nil)
	require.NoError(t, err)
	signed, err := s.Sign(hostile, []byte("{}"))
	require.NoError(t, err)
	head, err := base64.RawURLEncoding.DecodeString(signed[:strings.IndexByte(signed, '.')])
	require.NoError(t, err)
	requireMembers(t, map[string]any{"alg": "ES256", "kid": "key", "typ": hostile}, head)

	key, err := jose.MarshalJWK(jose.PublicKey{KID: hostile, Alg: hostile, Key: keys().ed.Public()})
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(key, &members))
	require.Equal(t, hostile, members["kid"])
	require.Equal(t, hostile, members["alg"])
	require.Len(t, members, 6)

	_, err = jose.NewSigner(jose.ES256, hostile, keys().p256, nil)
	require.ErrorIs(t, err, jose.ErrKey, "a kid of another form is rejected before")
}

func requireMembers(t *testing.T, want map[string]any, text []byte) {
	t.Helper()
	var got map[string]any
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, want, got)
}
