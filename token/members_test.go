package token

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
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

// The claims with the names of their members, as encoding/json writes them.
type (
	taggedAccess struct {
		Iss      string          `json:"iss"`
		Sub      string          `json:"sub,omitempty"`
		ClientID string          `json:"client_id"`
		Aud      any             `json:"aud,omitempty"`
		Scope    string          `json:"scope"`
		Exp      int64           `json:"exp"`
		Iat      int64           `json:"iat"`
		Nbf      int64           `json:"nbf,omitempty"`
		JTI      string          `json:"jti"`
		ACR      string          `json:"acr,omitempty"`
		AMR      []string        `json:"amr,omitempty"`
		AuthTime int64           `json:"auth_time,omitempty"`
		SID      string          `json:"sid,omitempty"`
		Act      json.RawMessage `json:"act,omitempty"`
		MayAct   json.RawMessage `json:"may_act,omitempty"`
		Details  json.RawMessage `json:"authorization_details,omitempty"`
		Cnf      *taggedCnf      `json:"cnf,omitempty"`
	}
	taggedCnf struct {
		Key         string `json:"jkt,omitempty"`
		Certificate string `json:"x5t#S256,omitempty"`
	}
	taggedIntrospection struct {
		Active    bool   `json:"active"`
		TokenType string `json:"token_type"`
		ExpiresIn int64  `json:"expires_in"`
		taggedAccess
	}
	taggedID struct {
		Iss      string          `json:"iss"`
		Sub      string          `json:"sub"`
		Aud      string          `json:"aud"`
		Exp      int64           `json:"exp"`
		Iat      int64           `json:"iat"`
		Nbf      int64           `json:"nbf,omitempty"`
		AuthTime int64           `json:"auth_time,omitempty"`
		JTI      string          `json:"jti"`
		Nonce    string          `json:"nonce,omitempty"`
		ACR      string          `json:"acr,omitempty"`
		AMR      []string        `json:"amr,omitempty"`
		SID      string          `json:"sid,omitempty"`
		Details  json.RawMessage `json:"authorization_details,omitempty"`
	}
)

// FuzzMembers compares what tokens and the introspection response write with the tagged structs above, byte by byte. Each field has a value
// of its own, or is zero by one bit of set.
func FuzzMembers(f *testing.F) {
	f.Add("openid", int64(1_700_000_000), uint32(0xffffffff))
	f.Add("<\"&\\>\x00\u2028é\xff{", int64(1), uint32(0x55555555))
	f.Add("{", int64(-1), uint32(0xaaaaaaaa))
	f.Add("", int64(0), uint32(0))
	f.Fuzz(func(t *testing.T, text string, number int64, set uint32) {
		i := -1
		is := func() bool { i++; return set>>(i%32)&1 == 1 }
		word := func() string {
			if !is() {
				return ""
			}
			return text + strconv.Itoa(i)
		}
		count := func() int64 {
			if !is() {
				return 0
			}
			return number + int64(i)
		}
		words := func() []string {
			if !is() {
				return nil
			}
			return []string{word(), word()}[:1+i%2]
		}
		value := func() json.RawMessage {
			if !is() {
				return nil
			}
			return json.RawMessage(marshal(t, []any{map[string]any{word(): count()}, nil}))
		}
		a := accessToken{
			Iss: word(), Sub: word(), ClientID: word(), Aud: words(), Scopes: []string{word(), word()}, Exp: count(), Iat: count(), Nbf: count(),
			JTI: word(), ACR: word(), AMR: words(), AuthTime: count(), SID: word(), Act: value(), MayAct: value(), Details: value(),
			Cnf: storage.Confirmation{Key: word(), Certificate: word()},
		}
		tagged := taggedAccess{
			a.Iss, a.Sub, a.ClientID, nil, strings.Join(a.Scopes, " "), a.Exp, a.Iat, a.Nbf, a.JTI, a.ACR, a.AMR, a.AuthTime, a.SID, a.Act, a.MayAct,
			a.Details, nil,
		}
		switch len(a.Aud) {
		case 0:
		case 1:
			tagged.Aud = a.Aud[0]
		default:
			tagged.Aud = a.Aud
		}
		if a.Cnf != (storage.Confirmation{}) {
			tagged.Cnf = &taggedCnf{a.Cnf.Key, a.Cnf.Certificate}
		}
		require.Equal(t, marshal(t, &tagged), written(t, &a))

		r := accessResponse{TokenType: word(), ExpiresIn: count(), accessToken: a}
		require.Equal(t, marshal(t, &taggedIntrospection{true, r.TokenType, r.ExpiresIn, tagged}), written(t, &r))

		id := idToken{
			Iss: word(), Sub: word(), Aud: word(), Exp: count(), Iat: count(), Nbf: count(), AuthTime: count(), JTI: word(), Nonce: word(), ACR: word(),
			AMR: words(), SID: word(), Details: value(),
		}
		require.Equal(t, marshal(t, &taggedID{
			id.Iss, id.Sub, id.Aud, id.Exp, id.Iat, id.Nbf, id.AuthTime, id.JTI, id.Nonce, id.ACR, id.AMR, id.SID, id.Details,
		}), written(t, &id))
	})
}

// TestMembersAfterObjects adds claims to documents that end with an empty object, a brace in a text or null. No member is lost, and none is
// there twice.
func TestMembersAfterObjects(t *testing.T) {
	t.Parallel()
	for _, base := range []members{&userInfo{Sub: "{"}, &accessToken{Details: json.RawMessage(`{}`)}, &accessToken{Cnf: storage.Confirmation{Key: "{"}}} {
		out, err := encode(base)
		require.NoError(t, err)
		d := Document{Kind: UserInfo, out: out}
		want := map[string]any{}
		require.NoError(t, json.Unmarshal(out.bytes(), &want))
		for name, value := range map[string]any{"a{": map[string]any{}, `b"`: "{", "c": []any{}, "d{}": nil, "e": json.RawMessage("null"), "f": 7.0} {
			d.Set(name, value)
			if value != nil && name != "e" {
				want[name] = value
			}
			d.SetString(name+"text", "v{")
			want[name+"text"] = "v{"
		}
		require.NoError(t, d.err)
		require.JSONEq(t, marshal(t, want), string(out.bytes()))
		require.Len(t, names(t, out.bytes()), len(want), "a member is there twice")
		out.free()
	}
}

// names returns the names of the members of an object, in their order, also those that are there twice.
func names(t *testing.T, object []byte) (all []string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(object))
	_, err := dec.Token()
	require.NoError(t, err)
	for dec.More() {
		name, err := dec.Token()
		require.NoError(t, err)
		all = append(all, name.(string))
		var value json.RawMessage
		require.NoError(t, dec.Decode(&value))
	}
	return all
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

// TestPlain: a text is plain if encoding/json writes it unchanged, and it is printable ASCII. Each byte is tried at each place of texts of
// up to three words, and each pair of bytes beside each other: the sums and differences of one byte must not change what is found of the next.
func TestPlain(t *testing.T) {
	t.Parallel()
	var plain [256]bool
	for c := range byte(0x7f) {
		plain[c] = c >= ' ' && marshal(t, string(rune(c))) == `"`+string(rune(c))+`"`
	}
	for size := range 25 {
		text := []byte(strings.Repeat("~ ", size)[:size])
		for at := range text {
			for c := range 256 {
				rest := text[at]
				text[at] = byte(c)
				if isPlain(string(text)) != plain[c] {
					t.Fatalf("%q: %v", text, !plain[c])
				}
				text[at] = rest
			}
		}
	}
	for pair := range 1 << 16 {
		a, b := byte(pair>>8), byte(pair)
		if text := string([]byte{'a', 'b', a, b, 'c', 'd', 'e', 'f', 'g', 'h', a, b}); isPlain(text) != (plain[a] && plain[b]) {
			t.Fatalf("%q", text)
		}
	}
}

// TestHasName: names are the same if strings.EqualFold says so, also those with a letter whose other case is not ASCII.
func TestHasName(t *testing.T) {
	t.Parallel()
	names := []string{"", "k", "K", "\u212a", "sub", "SUB", "\u017fub", "su\u017f", "_", "\x7f", "@", "`", "æ", "Æ", "sid", "s"}
	for _, a := range names {
		for _, b := range names {
			require.Equal(t, strings.EqualFold(a, b), hasName([]string{a}, b), "%q %q", a, b)
		}
	}
}

// TestStrippedIsOverwritten: what is left out of a pseudonymous document does not stay in the pooled buffer, behind the end of its text.
func TestStrippedIsOverwritten(t *testing.T) {
	t.Parallel()
	d := &Document{Kind: AccessToken, Pseudonymous: true, out: newObject()}
	require.NoError(t, d.out.finish())
	d.Set("consumer", map[string]string{"a": "b", "pid": "17912099997"})
	require.NoError(t, d.err)
	require.Contains(t, string(d.out.bytes()), `"consumer":{"a":"b"}`)
	text := d.out.bytes()
	require.NotContains(t, string(text[:cap(text)]), "99997")
}
