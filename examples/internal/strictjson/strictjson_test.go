package strictjson_test

import (
	"encoding/json"
	"testing"

	"github.com/portner-go/portner/examples/internal/strictjson"
	"github.com/stretchr/testify/require"
)

type inner struct {
	RedirectURIs []string `json:"redirect_uris"`
	Hidden       string   `json:"-"`
}

type withActive struct {
	inner
	Active *bool           `json:"active"`
	Claims map[string]any  `json:"claims"`
	JWKS   json.RawMessage `json:"jwks"`
}

type file struct {
	Issuer  string       `json:"issuer"`
	Clients []withActive `json:"clients"`
	Session *struct {
		Max int `json:"max"`
	} `json:"session"`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"fine":            {`{"issuer":"https://x","clients":[{"redirect_uris":["a"],"active":false,"claims":{"any":1},"jwks":{"keys":[]}}],"session":{"max":3}}`, ""},
		"unknown at top":  {`{"isuer":"x"}`, "isuer: unknown member"},
		"unknown deep":    {`{"clients":[{}, {"redirect_uri":["a"]}]}`, `clients[1].redirect_uri: unknown member (did you mean "redirect_uris"?)`},
		"two at once":     {`{"a":1,"session":{"b":2}}`, "a: unknown member\nsession.b: unknown member"},
		"hidden field":    {`{"clients":[{"Hidden":"x"}]}`, "clients[0].Hidden: unknown member"},
		"wrong type":      {`{"session":{"max":"3"}}`, "session.max: needs int, has a string"},
		"given twice":     {`{"issuer":"a","issuer":"b"}`, "issuer: given twice"},
		"trailing":        {"{}\n{}", "line 2: something follows the value"},
		"not JSON":        {"{\n\"issuer\": ,\n}", "line 2: invalid character ',' looking for beginning of value"},
		"open map is any": {`{"clients":[{"claims":{"address":{"x":1}}}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := strictjson.Decode([]byte(c.in), new(file))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.want)
		})
	}
}
