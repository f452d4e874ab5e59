package client_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/stretchr/testify/require"
)

// fill sets every field of a struct, and every element of its lists, to a random value that is not zero. It fails for a
// field of a type that it does not know, so that a new field is not forgotten.
func fill(t *testing.T, r *rand.Rand, v reflect.Value) {
	t.Helper()
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1+r.Int64N(1<<32), r.Int64N(1e9)).UTC()))
		return
	case json.RawMessage:
		v.SetBytes(fmt.Appendf(nil, `{"keys":[{"kid":"%d","x5c":["a",null]}]}`, r.Int()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("æ\n\"<\u2028%d", r.Int()))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1 + r.Int64N(1<<40))
	case reflect.Uint8:
		v.SetUint(1 + r.Uint64N(255))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(3), 3))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(t, r, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, r, v.Field(i))
		}
	default:
		require.Fail(t, "a field of an unknown type", "%s", v.Type())
	}
}

// TestRoundTrip: every field of a registration survives its JSON form, alone and with all others.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	check := func(c client.Client, name string) {
		text, err := json.Marshal(c)
		require.NoError(t, err, name)
		var back client.Client
		require.NoError(t, json.Unmarshal(text, &back), name)
		require.Equal(t, c, back, name)
	}
	check(client.Client{}, "zero value")
	for range 50 {
		var all client.Client
		fill(t, r, reflect.ValueOf(&all).Elem())
		check(all, "all fields")
		for i := range reflect.TypeFor[client.Client]().NumField() {
			var one client.Client
			fill(t, r, reflect.ValueOf(&one).Elem().Field(i))
			check(one, reflect.TypeFor[client.Client]().Field(i).Name)
		}
	}
}

// TestUnmarshalRejects: a registration is decoded strictly, and a rejected one changes nothing.
func TestUnmarshalRejects(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`{"client_id":"c","redirect_uri":["https://rp.example.no"]}`: {"redirect_uri"},
		`{"Client_ID":"c"}`:                                                   {"Client_ID"},
		`{"client_id":"c","client_secret":"s"}`:                               {"client_secret"},
		`{"client_id":null,"scopes":null}`:                                    {"client_id", "scopes"},
		`{"client_id":1,"scopes":"openid","require_state":"true"}`:            {"client_id", "require_state", "scopes"},
		`{"scopes":["openid",null,1]}`:                                        {"scopes[1]", "scopes[2]"},
		`{"active":false,"disabled":true}`:                                    {"disabled"},
		`{"active":"no"}`:                                                     {"active"},
		`{"access_token_lifetime":1.5}`:                                       {"access_token_lifetime"},
		`{"created":"yesterday"}`:                                             {"created"},
		`{"onbehalfof":[{"onbehalfof":"a"},{"name":"b","orgno":1}, "c"]}`:     {"onbehalfof[1].name", "onbehalfof[1].orgno", "onbehalfof[2]"},
		`{"client_secrets":[{"sha256":"AA"},{"sha256":1,"expires":"never"}]}`: {"client_secrets[0].sha256", "client_secrets[1].expires", "client_secrets[1].sha256", "client_secrets[1].sha256"},
	} {
		c := client.Client{ClientID: "before"}
		require.Equal(t, want, membersIn(t, json.Unmarshal([]byte(text), &c)), text)
		require.Equal(t, client.Client{ClientID: "before"}, c, text)
	}
	for _, text := range []string{``, `[]`, `"c"`, `{"client_id":"a","client_id":"b"}`, `{"client_id":"a","Client_ID":"b"}`, `{"client_id":"c"} x`} {
		_, err := client.Parse([]byte(text), production)
		require.Error(t, err, text)
		require.Error(t, new(client.Client).UnmarshalJSON([]byte(text)), text)
	}
}

func TestActive(t *testing.T) {
	t.Parallel()
	for text, disabled := range map[string]bool{
		`{"client_id":"c"}`: false, `{"client_id":"c","active":true}`: false, `{"client_id":"c","active":false}`: true,
		`{"client_id":"c","disabled":false}`: false, `{"client_id":"c","disabled":true}`: true,
	} {
		var c client.Client
		require.NoError(t, json.Unmarshal([]byte(text), &c), text)
		require.Equal(t, disabled, c.Disabled, text)
		back, err := json.Marshal(&c)
		require.NoError(t, err)
		require.JSONEq(t, fmt.Sprintf(`{"client_id":"c","active":%t}`, !disabled), string(back), text)
	}
}

// TestParse: the problems of decoding and of validation are reported together, and one member is reported once.
func TestParse(t *testing.T) {
	t.Parallel()
	good := web(nil)
	text, err := json.Marshal(good)
	require.NoError(t, err)
	parsed, err := client.Parse(text, production)
	require.NoError(t, err)
	require.Equal(t, good, parsed)

	_, err = client.Parse([]byte(`{"client_id":"c","redirect_uris":[1],"secrets":[],"token_endpoint_auth_method":"none","scopes":["a b"],"client_secrets":{}}`), production)
	require.Equal(t, []string{"client_secrets", "redirect_uris[0]", "scopes[0]", "secrets", "token_endpoint_auth_method"}, membersIn(t, err))
	require.ErrorIs(t, parseError(`{}`), portner.ErrRequired)
	require.ErrorIs(t, parseError(`{"client_id":"c","redirect_uris":["javascript:x"]}`), client.ErrInvalidRedirectURI)
	_, err = client.Parse([]byte(`{"client_id":"c","application_type":"browser","redirect_uris":["http://localhost/cb"]}`), testing_)
	require.NoError(t, err)
}

func parseError(text string) error {
	_, err := client.Parse([]byte(text), production)
	return err
}
