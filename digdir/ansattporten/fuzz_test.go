package ansattporten_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzDetails: authorization_details that the types accept are an array of JSON objects of these types, without members that the type does not have.
func FuzzDetails(f *testing.F) {
	for _, text := range []string{
		`[]`, `{}`, `[{"type":"ansattporten:orgno"}]`, `[{"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:4480:40"}]`,
		`[{"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40","organizationform":"enterprise","allow_multiple_organizations":"true"}]`,
		`[{"type":"ansattporten:altinn:resource","resource":"urn:altinn:resource:a-b","actions":["read"]}]`, `[{"type":"idporten:fullmakt","roles":["x"]}]`,
		`[{"type":"ansattporten:orgno","type":"idporten:fullmakt"}]`, `[{"type":"ansattporten:orgno","x":1}]`,
	} {
		f.Add([]byte(text))
	}
	registry := types(brregServices())
	f.Fuzz(func(t *testing.T, raw []byte) {
		details, err := registry.Parse(raw)
		if err != nil {
			require.Nil(t, details)
			return
		}
		var plain []map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &plain))
		require.Len(t, details, len(plain))
		for i, d := range details {
			require.Contains(t, registry.Names(), d.Type)
			plain[i]["unknown_member"] = json.RawMessage("1")
			more, err := json.Marshal(plain)
			require.NoError(t, err)
			_, err = registry.Parse(more)
			require.Error(t, err)
		}
	})
}
