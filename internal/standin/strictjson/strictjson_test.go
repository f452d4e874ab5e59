package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/portner-go/portner/internal/standin/strictjson"
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

// own has an UnmarshalJSON method that accepts a member without a field.
type own struct {
	Name string `json:"name"`
}

func (o *own) UnmarshalJSON(data []byte) error {
	if bytes.Contains(data, []byte(`"x"`)) {
		return errors.New("unknown")
	}
	if bytes.Contains(data, []byte(`"no"`)) {
		return errors.New("invalid name")
	}
	return nil
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"valid":               {`{"issuer":"https://x","clients":[{"redirect_uris":["a"],"active":false,"claims":{"any":1},"jwks":{"keys":[]}}],"session":{"max":3}}`, ""},
		"unknown at top":      {`{"isuer":"x"}`, `isuer: is an unknown member (did you mean "issuer"?)`},
		"unknown deep":        {`{"clients":[{}, {"redirect_uri":["a"]}]}`, `clients[1].redirect_uri: is an unknown member (did you mean "redirect_uris"?)`},
		"two at once":         {`{"a":1,"session":{"b":2}}`, "a: is an unknown member\nsession.b: is an unknown member"},
		"hidden field":        {`{"clients":[{"Hidden":"x"}]}`, "clients[0].Hidden: is an unknown member"},
		"wrong type":          {`{"session":{"max":"3"}}`, "session.max: must be an integer"},
		"misspelt":            {`{"isseur":"a","session":{"maxx":1}}`, `isseur: is an unknown member (did you mean "issuer"?)` + "\n" + `session.maxx: is an unknown member (did you mean "max"?)`},
		"swapped":             {`{"issuer":"a","cleints":[]}`, `cleints: is an unknown member (did you mean "clients"?)`},
		"every kind":          {`{"issuer":1,"clients":{"a":[1]},"session":[]}`, "issuer: must be a string\nclients: must be a list\nsession: must be an object"},
		"kinds in lists":      {`{"clients":[{"redirect_uris":["a",2],"active":"yes"},null]}`, "clients[0].redirect_uris[1]: must be a string\nclients[0].active: must be a boolean\nclients[1]: must be an object"},
		"a fraction":          {`{"session":{"max":1.5}}`, "session.max: must be an integer"},
		"not an object":       {`[]`, "the file: must be an object"},
		"own decoder":         {`{"own":[{"name":"a","active":false},{"nmae":1,"actve":2}]}`, "own[1].nmae: is an unknown member (did you mean \"name\"?)\nown[1].actve: is an unknown member (did you mean \"active\"?)"},
		"own decoder's error": {`{"own":[{"name":"no"}]}`, "own[0]: invalid name"},
		"given twice":         {`{"issuer":"a","issuer":"b"}`, "issuer: is given twice"},
		"trailing":            {"{}\n{}", "line 2: unexpected text after the value"},
		"not JSON":            {"{\n\"issuer\": ,\n}", "line 2: invalid character ',' looking for beginning of value"},
		"cut off":             {"{\n\"issuer\": \"x\",\n", "line 2: unexpected end of the file"},
		"cut in a value":      {"{\"issuer\": \"x", "line 1: unexpected end of the file"},
		"empty":               {"", "line 1: unexpected end of the file"},
		"any member in a map": {`{"clients":[{"claims":{"address":{"x":1}}}]}`, ""},
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

// TestDecodeKnown: unknown members do not hide the values of the others, wherever they are in an object.
func TestDecodeKnown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in      string
		decoded bool
	}{
		"no problem":     {`{"issuer":"i","clients":[{"redirect_uris":["a"]}],"own":[{"name":"n"}]}`, true},
		"first":          {`{"x":1,"issuer":"i","clients":[{"x":{"y":[1]},"redirect_uris":["a"]}],"own":[{"x":1,"name":"n"}]}`, true},
		"last":           {`{"issuer":"i","clients":[{"redirect_uris":["a"],"x":"},"}],"own":[{"name":"n","x":1}] , "x" : [1,2] }`, true},
		"several":        {`{ "x":1 , "y":2, "issuer":"i","z":3,"clients":[{"x":1,"y":2,"redirect_uris":["a"],"z":3,"u":4}],"own":[{"x":1,"y":2,"name":"n","z":3}]}`, true},
		"others as well": {`{"x":1,"issuer":2}`, false},
		"given twice":    {`{"x":1,"issuer":"i","issuer":"j"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got file
			decoded, err := strictjson.DecodeKnown([]byte(c.in), &got, strictjson.Also{Type: reflect.TypeFor[own](), Members: []string{"active"}})
			require.Equal(t, c.decoded, decoded, err)
			require.Equal(t, name == "no problem", err == nil)
			if decoded {
				require.Equal(t, "i", got.Issuer)
				require.Equal(t, []string{"a"}, got.Clients[0].RedirectURIs)
				require.Len(t, got.Own, 1)
			}
		})
	}
}
