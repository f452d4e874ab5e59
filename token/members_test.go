package token

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
)

// marshal returns v as the encoder of the standard library writes it, by its tags.
func marshal(t *testing.T, v any) string {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(v))
	return out.String()[:out.Len()-1]
}

func written(t *testing.T, of members) string {
	t.Helper()
	b, err := encode(of)
	require.NoError(t, err)
	defer b.free()
	return string(b.bytes())
}

// FuzzResponse compares what a Response writes with what its tags say, with each text in each field, and each field set and not set.
func FuzzResponse(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30.c2ln", int64(3600), uint16(0xffff))
	f.Add("<\"&\\>\x00\u2028é\xff", int64(-1), uint16(0x5555))
	f.Fuzz(func(t *testing.T, text string, number int64, set uint16) {
		var r Response
		fields := reflect.ValueOf(&r).Elem()
		for i := range fields.NumField() {
			field := fields.Field(i)
			switch {
			case set>>i&1 == 0 || !field.CanSet():
			case field.Kind() == reflect.String:
				field.SetString(text)
			case field.Kind() == reflect.Int64:
				field.SetInt(number)
			default:
				field.SetBytes([]byte(marshal(t, []any{text, number})))
			}
		}
		require.Equal(t, marshal(t, &r), written(t, &r))
	})
}

// FuzzMembers reads the claims of tokens that hold a text in every field with a decoder. None is missing, none is another one, and a
// zero field leaves its member out, unless the member is required.
func FuzzMembers(f *testing.F) {
	f.Add("openid", int64(1_700_000_000))
	f.Add("<\"&\\>\x00\u2028é\xff", int64(0))
	f.Add("", int64(-1))
	f.Fuzz(func(t *testing.T, text string, number int64) {
		details := json.RawMessage(marshal(t, []any{map[string]any{"type": text}}))
		a := accessToken{
			Iss: text, Sub: text, ClientID: text, Aud: []string{text}, Scopes: []string{text, "b"}, Exp: number, Iat: number, Nbf: number, JTI: text,
			ACR: text, AMR: []string{text, "pwd"}, AuthTime: number, SID: text, Act: details, MayAct: details, Details: details,
			Cnf: storage.Confirmation{Key: text, Certificate: text},
		}
		plain := map[string]any{
			"iss": text, "client_id": text, "aud": text, "scope": text + " b", "exp": number, "iat": number, "jti": text, "amr": a.AMR,
			"act": details, "may_act": details, "authorization_details": details,
		}
		optional(plain, text, "sub", "acr", "sid")
		optional(plain, number, "nbf", "auth_time")
		cnf := map[string]any{}
		optional(cnf, text, "jkt", "x5t#S256")
		if len(cnf) > 0 {
			plain["cnf"] = cnf
		}
		require.JSONEq(t, marshal(t, plain), written(t, &a))

		a.Aud, a.ScopeArray, a.Cnf = []string{text, "second"}, true, storage.Confirmation{}
		delete(plain, "cnf")
		plain["aud"], plain["scope"] = a.Aud, a.Scopes
		require.JSONEq(t, marshal(t, plain), written(t, &a))

		id := idToken{
			Iss: text, Sub: text, Aud: text, Exp: number, Iat: number, Nbf: number, AuthTime: number, JTI: text, Nonce: text, ACR: text,
			AMR: []string{text}, SID: text, Details: details,
		}
		plain = map[string]any{
			"iss": text, "sub": text, "aud": text, "exp": number, "iat": number, "jti": text, "amr": id.AMR, "authorization_details": details,
		}
		optional(plain, text, "nonce", "acr", "sid")
		optional(plain, number, "nbf", "auth_time")
		require.JSONEq(t, marshal(t, plain), written(t, &id))
	})
}

// optional adds members with a value, unless it is zero.
func optional(to map[string]any, value any, names ...string) {
	if reflect.ValueOf(value).IsZero() {
		return
	}
	for _, name := range names {
		to[name] = value
	}
}

// TestZeroMembers verifies what tokens without optional claims have.
func TestZeroMembers(t *testing.T) {
	t.Parallel()
	require.JSONEq(t, `{"iss":"","client_id":"","scope":"","exp":0,"iat":0,"jti":""}`, written(t, &accessToken{}))
	require.JSONEq(t, `{"iss":"","client_id":"","scope":[],"exp":0,"iat":0,"jti":""}`, written(t, &accessToken{ScopeArray: true}))
	require.JSONEq(t, `{"iss":"","sub":"","aud":"","exp":0,"iat":0,"jti":""}`, written(t, &idToken{}))
	require.JSONEq(t, `{"sub":""}`, written(t, &userInfo{}))
	require.JSONEq(t, `{"active":true,"iss":"","client_id":"","scope":"","exp":0,"expires_in":0}`, written(t, &refreshResponse{}))
}

// TestInvalidMember verifies that a value that is not JSON makes the document fail, and that the buffer is usable afterwards.
func TestInvalidMember(t *testing.T) {
	t.Parallel()
	for range 10 {
		_, err := encode(&idToken{Details: json.RawMessage(`{"type":`)})
		require.ErrorContains(t, err, "token: encoding")
		require.True(t, utf8.ValidString(written(t, &userInfo{Sub: "a"})))
	}
}
