package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
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
	Own []own `json:"own"`
}

// own reads itself, with a member that is no field.
type own struct {
	Name string `json:"name"`
}

func (o *own) UnmarshalJSON(data []byte) error {
	if bytes.Contains(data, []byte(`"no"`)) {
		return errors.New("not this name")
	}
	return nil
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"fine":            {`{"issuer":"https://x","clients":[{"redirect_uris":["a"],"active":false,"claims":{"any":1},"jwks":{"keys":[]}}],"session":{"max":3}}`, ""},
		"unknown at top":  {`{"isuer":"x"}`, `isuer: unknown member (did you mean "issuer"?)`},
		"unknown deep":    {`{"clients":[{}, {"redirect_uri":["a"]}]}`, `clients[1].redirect_uri: unknown member (did you mean "redirect_uris"?)`},
		"two at once":     {`{"a":1,"session":{"b":2}}`, "a: unknown member\nsession.b: unknown member"},
		"hidden field":    {`{"clients":[{"Hidden":"x"}]}`, "clients[0].Hidden: unknown member"},
		"wrong type":      {`{"session":{"max":"3"}}`, "session.max: needs a whole number"},
		"a slip":          {`{"isseur":"a","session":{"maxx":1}}`, `isseur: unknown member (did you mean "issuer"?)` + "\n" + `session.maxx: unknown member (did you mean "max"?)`},
		"swapped":         {`{"issuer":"a","cleints":[]}`, `cleints: unknown member (did you mean "clients"?)`},
		"every kind":      {`{"issuer":1,"clients":{"a":[1]},"session":[]}`, "issuer: needs a string\nclients: needs a list\nsession: needs an object"},
		"kinds in lists":  {`{"clients":[{"redirect_uris":["a",2],"active":"yes"},null]}`, "clients[0].redirect_uris[1]: needs a string\nclients[0].active: needs true or false\nclients[1]: needs an object"},
		"a fraction":      {`{"session":{"max":1.5}}`, "session.max: needs a whole number"},
		"not an object":   {`[]`, "the file: needs an object"},
		"own reader":      {`{"own":[{"name":"a","active":false},{"nmae":1,"actve":2}]}`, "own[1].nmae: unknown member (did you mean \"name\"?)\nown[1].actve: unknown member (did you mean \"active\"?)"},
		"own reader says": {`{"own":[{"name":"no"}]}`, "own[0]: not this name"},
		"given twice":     {`{"issuer":"a","issuer":"b"}`, "issuer: given twice"},
		"trailing":        {"{}\n{}", "line 2: something follows the value"},
		"not JSON":        {"{\n\"issuer\": ,\n}", "line 2: invalid character ',' looking for beginning of value"},
		"cut off":         {"{\n\"issuer\": \"x\",\n", "line 2: the file ends too early"},
		"cut in a value":  {"{\"issuer\": \"x", "line 1: the file ends too early"},
		"empty":           {"", "line 1: the file ends too early"},
		"open map is any": {`{"clients":[{"claims":{"address":{"x":1}}}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := strictjson.Decode([]byte(c.in), new(file), strictjson.Also{Type: reflect.TypeFor[own](), Members: []string{"active"}})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.want)
		})
	}
}
