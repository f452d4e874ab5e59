package client_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
)

// FuzzParse: a registration that is accepted is one that encoding/json reads, and is equal after encoding, except for the white space of its
// keys. It is rejected with one more member.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"{}", "", "null", "[]", `{"client_id":"a"}`, `{"client_id":"a","redirect_uris":["https://a.example.no/cb"],"scopes":["openid"]}`, `{"client_id":"a","client_id":"b"}`,
		`{"client_id":"a","application_type":"browser","redirect_uris":["https://a.example.no/cb"],"scopes":["openid"],"token_endpoint_auth_method":"none"}`,
		`{"client_id":"m","token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","use":"sig","kid":"k"}]},"grant_types":["client_credentials"],"scopes":["a:b"]}`,
		`{"client_id":"a","access_token_lifetime":1e400}`, `{"client_id":7}`, `{"Client_ID":"a"}`, `{"client_id":"a","jwks":{}}`,
		`{"client_id":"m","token_endpoint_auth_method":"private_key_jwt","jwks": { "keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","use":"sig","kid":"k"}]},"grant_types":["client_credentials"],"scopes":["a:b"]}`,
	} {
		f.Add([]byte(text))
	}
	env := client.Environment{Test: true, BusinessCertificates: true}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := client.Parse(text, env)
		if err != nil {
			require.Nil(t, c)
			return
		}
		encoded, err := json.Marshal(c)
		require.NoError(t, err)
		var again client.Client
		require.NoError(t, again.UnmarshalJSON(encoded))
		if c.JWKS != nil {
			require.JSONEq(t, string(c.JWKS), string(again.JWKS))
			c.JWKS = again.JWKS
		}
		require.Equal(t, *c, again)
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &members))
		members["unknown_member"] = json.RawMessage("1")
		more, err := json.Marshal(members)
		require.NoError(t, err)
		_, err = client.Parse(more, env)
		require.ErrorContains(t, err, "unknown_member")
	})
}
