package session_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
)

const testIssuer = "https://login.example.no"

const testPID = "21879498012"

// identifiers returns identifiers of types and values in turn.
func identifiers(t testing.TB, typesAndValues ...string) (list []pseudonym.Identifier) {
	t.Helper()
	for i := 0; i < len(typesAndValues); i += 2 {
		id, err := pseudonym.NewIdentifier(typesAndValues[i], typesAndValues[i+1])
		require.NoError(t, err)
		list = append(list, id)
	}
	return list
}

// fullIdentity has identifiers and attributes with and without a short code.
func fullIdentity(t testing.TB) *session.Identity {
	t.Helper()
	return &session.Identity{
		Subject: "user-1",
		Identifiers: identifiers(t, session.TypeEIDAS, "SE/NO/1", session.TypePID, testPID,
			session.TypeEmail, "kari@example.no", "cpr", "0102030405"),
		Attributes: map[string]string{
			"given_name": "Kari", "family_name": strings.Repeat("Nordmann ", 40), "birthdate": "1994-07-21",
			"name": "Kari Nordmann", "nickname": "", "": "no name",
		},
	}
}

// requireEqual compares identities, whose identifiers redact themselves.
func requireEqual(t *testing.T, want, got *session.Identity) {
	t.Helper()
	require.Equal(t, want.Subject, got.Subject)
	require.Equal(t, want.Attributes, got.Attributes)
	require.Len(t, got.Identifiers, len(want.Identifiers))
	for i, id := range want.Identifiers {
		require.Equal(t, id.Type(), got.Identifiers[i].Type())
		require.Equal(t, id.Reveal(), got.Identifiers[i].Reveal())
	}
}

func TestIdentityRoundTrip(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]*session.Identity{
		"empty": {}, "full": fullIdentity(t), "subject only": {Subject: "u"}, "not text": {Subject: "\x00\xff"},
		"attributes only": {Attributes: map[string]string{"name": "Kari Nordmann", "x": "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := session.Encode(id)
			got, err := session.DecodeIdentity(data)
			require.NoError(t, err)
			requireEqual(t, id, &got)
			for i := range data {
				_, err := session.DecodeIdentity(data[:i])
				require.Error(t, err, "cut at %d", i)
			}
			_, err = session.DecodeIdentity(append(data, 0))
			require.Error(t, err, "trailing byte")
		})
	}
}

// TestIdentityEncoding pins the encoding: a session or grant that one release stored must be readable in the next.
func TestIdentityEncoding(t *testing.T) {
	t.Parallel()
	require.Equal(t, "\x03\x01u\x01\x00\x0b"+testPID+"\x00",
		string(session.Encode(&session.Identity{Subject: "u", Identifiers: identifiers(t, session.TypePID, testPID)})))
	require.Equal(t, "\x03\x01u\x03\x01\x01e\x02\x01m\x0acpr\x01c\x05\x06\x01b\x05\x01f\x04\x01g\x03\x01n\x08z\x00",
		string(session.Encode(&session.Identity{
			Subject: "u", Identifiers: identifiers(t, session.TypeEIDAS, "e", session.TypeEmail, "m", "cpr", "c"),
			Attributes: map[string]string{"birthdate": "b", "family_name": "f", "given_name": "g", "name": "n", "z": ""},
		})))
	withZero := &session.Identity{Subject: "u", Identifiers: make([]pseudonym.Identifier, 2)}
	require.Equal(t, session.Encode(&session.Identity{Subject: "u"}), session.Encode(withZero), "zero identifiers are left out")
}

func TestIdentityRejectsMalformed(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"nothing":                     "",
		"another version":             "\x04\x00\x00\x00",
		"an older version":            "\x01\x00\x00\x00",
		"no attributes":               "\x03\x00\x00",
		"length past the end":         "\x03\x05abc\x00\x00",
		"length in two bytes":         "\x03\x80\x00\x00\x00",
		"endless length":              "\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"a length of 35 bits":         "\x03\xff\xff\xff\xff\x7f\x00\x00",
		"more identifiers than text":  "\x03\x00\x7f\x00\x01a\x00",
		"an identifier without type":  "\x03\x00\x01\x07\x01a\x00",
		"an identifier without value": "\x03\x00\x01\x00\x00\x00",
		"a known name in full":        "\x03\x00\x01\x0apid\x01a\x00",
		"attributes out of order":     "\x03\x00\x00\x02\x08b\x00\x08a\x00",
		"an attribute twice":          "\x03\x00\x00\x02\x08a\x00\x08a\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := session.DecodeIdentity([]byte(data))
			require.EqualError(t, err, "session: malformed identity")
			require.True(t, id.IsZero())
		})
	}
}

// TestIdentityIdentifiers: pairwise subjects derive from the first identifier, whatever its type, or from Subject if there is none.
func TestIdentityIdentifiers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		id         session.Identity
		typ, value string
	}{
		"zero":          {session.Identity{}, "", ""},
		"subject only":  {session.Identity{Subject: "u"}, "subject", "u"},
		"pid":           {session.Identity{Subject: "u", Identifiers: identifiers(t, "pid", "1")}, "pid", "1"},
		"eidas, pid":    {session.Identity{Subject: "u", Identifiers: identifiers(t, "eidas", "e", "pid", "1")}, "eidas", "e"},
		"zero, email":   {session.Identity{Identifiers: append(make([]pseudonym.Identifier, 1), identifiers(t, "email", "m")...)}, "email", "m"},
		"only a zero":   {session.Identity{Subject: "u", Identifiers: make([]pseudonym.Identifier, 1)}, "subject", "u"},
		"other country": {session.Identity{Identifiers: identifiers(t, "cpr", "c", "email", "m")}, "cpr", "c"},
	} {
		got := tt.id.PairwiseIdentifier()
		require.Equal(t, tt.typ, got.Type(), name)
		require.Equal(t, tt.value, got.Reveal(), name)
	}
	id := fullIdentity(t)
	pid, ok := id.Identifier(session.TypePID)
	require.True(t, ok)
	require.Equal(t, testPID, pid.Reveal())
	pid, ok = id.Identifier("nin")
	require.False(t, ok)
	require.True(t, pid.IsZero())
	_, ok = (&session.Identity{Identifiers: make([]pseudonym.Identifier, 1)}).Identifier("")
	require.False(t, ok)
}

func TestIdentityRedactsItself(t *testing.T) {
	t.Parallel()
	id := *fullIdentity(t)
	auth := session.Authentication{Identity: id, ACR: "idporten-loa-high"}
	var out bytes.Buffer
	noTime := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { // its digits may be those of a secret
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	for _, v := range []any{id, &id, auth, &auth, struct{ X session.Identity }{id}, []session.Identity{id}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, noTime), slog.NewJSONHandler(&out, noTime)} {
			slog.New(h).Info("x", "v", v)
		}
		doc, err := json.Marshal(v)
		require.ErrorContains(t, err, "use a Vault", "it could not be read again")
		out.Write(doc)
	}
	for _, secret := range []string{testPID, "Kari", "kari@", "user-1", fmt.Sprintf("%x", testPID), "1994"} {
		require.NotContains(t, out.String(), secret)
	}
}

// TestIdentityAllocations: one text and one slice with identifiers only; a map with attributes.
func TestIdentityAllocations(t *testing.T) {
	plain := &session.Identity{Subject: "user-1", Identifiers: identifiers(t, session.TypePID, testPID)}
	data := session.Encode(plain)
	require.LessOrEqual(t, slow.Allocations(t, 100, func() { _, _ = session.DecodeIdentity(data) }), 2.0)
	require.LessOrEqual(t, slow.Allocations(t, 100, func() { session.Encode(plain) }), 1.0)
	full := session.Encode(fullIdentity(t))
	require.LessOrEqual(t, slow.Allocations(t, 100, func() { _, _ = session.DecodeIdentity(full) }), 6.0)
}

// FuzzIdentity: an accepted text is encoded to the same bytes, so two encodings never mean one identity.
func FuzzIdentity(f *testing.F) {
	f.Add(session.Encode(fullIdentity(f)))
	f.Add(session.Encode(&session.Identity{}))
	f.Add([]byte("\x03\x01u\x01\x00\x01a\x01\x03\x04Kari"))
	f.Add([]byte("\x03\x80\x00\x00\x00"))
	full := session.Encode(fullIdentity(f))
	for _, n := range []int{0, 1, 2, len(full) / 2, len(full) - 1} {
		f.Add(full[:n])
	}
	f.Add(append(full, 0))
	f.Add([]byte("\x02\x01u"))
	f.Add([]byte("\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := session.DecodeIdentity(data)
		if err != nil {
			return
		}
		require.Equal(t, data, session.Encode(&id))
	})
}

func TestVault(t *testing.T) {
	t.Parallel()
	old, young := portner.NewSecret(), portner.NewSecret()
	before, err := session.NewVault(testIssuer, old)
	require.NoError(t, err)
	during, err := session.NewVault(testIssuer, young, old)
	require.NoError(t, err)
	after, err := session.NewVault(testIssuer, young)
	require.NoError(t, err)
	id := *fullIdentity(t)

	sealed := before.Seal(id, "grant-1")
	require.NotContains(t, string(sealed), testPID)
	require.NotEqual(t, sealed, before.Seal(id, "grant-1"), "equal identities must not look equal")
	got, err := during.Open(sealed, "grant-1")
	require.NoError(t, err)
	requireEqual(t, &id, &got)

	_, err = before.Open(sealed, "grant-2")
	require.Error(t, err, "sealed for another record")
	_, err = after.Open(sealed, "grant-1")
	require.Error(t, err, "the secret was removed")
	got, err = after.Open(during.Seal(id, "g"), "g")
	require.NoError(t, err, "the first secret seals")
	requireEqual(t, &id, &got)
	_, err = before.Open(nil, "")
	require.Error(t, err)

	require.Equal(t, before.UserKey("u"), during.UserKey("u"), "user keys are the same while the old secret is present")
	require.NotEqual(t, before.UserKey("u"), after.UserKey("u"))
	require.NotEqual(t, before.UserKey("u"), before.UserKey("v"))
}

// TestNewVault: every invalid secret is reported.
func TestNewVault(t *testing.T) {
	t.Parallel()
	_, err := session.NewVault("")
	require.Equal(t, []string{"Issuer", "Secrets"}, fieldsOf(err))
	weak := portner.Secret(strings.Repeat("s", 32))
	for i := range 3 {
		secrets := []portner.Secret{portner.NewSecret(), portner.NewSecret(), portner.NewSecret()}
		secrets[i] = weak
		_, err = session.NewVault(testIssuer, secrets...)
		require.Equal(t, []string{fmt.Sprintf("Secrets[%d]", i)}, fieldsOf(err))
	}
	_, err = session.NewVault(testIssuer, portner.Secret("short"), portner.NewSecret(), nil, weak)
	require.Equal(t, []string{"Secrets[0]", "Secrets[2]", "Secrets[3]"}, fieldsOf(err))
	require.ErrorIs(t, err, portner.ErrShortSecret)
	require.ErrorIs(t, err, portner.ErrWeakSecret)
}

// TestVaultDetails: authorization_details are sealed like identities, because some contain national identity numbers.
func TestVaultDetails(t *testing.T) {
	t.Parallel()
	v := testVault(t)
	details := []byte(`[{"type":"idporten:fullmakt","authorizer":{"pid":"` + testPID + `"}}]`)
	sealed := v.SealDetails(details, "grant-1")
	require.NotContains(t, string(sealed), testPID)
	got, err := v.OpenDetails(sealed, "grant-1")
	require.NoError(t, err)
	require.Equal(t, details, got)
	_, err = v.OpenDetails(sealed, "grant-2")
	require.Error(t, err, "sealed for another grant")
	_, err = v.Open(sealed, "grant-1")
	require.Error(t, err, "no identity")
	require.Nil(t, v.SealDetails(nil, "grant-1"))
	got, err = v.OpenDetails(nil, "grant-1")
	require.NoError(t, err)
	require.Nil(t, got)
}

func BenchmarkVaultOpen(b *testing.B) {
	b.ReportAllocs()
	v := testVault(b)
	sealed := v.Seal(*fullIdentity(b), "id")
	for b.Loop() {
		if _, err := v.Open(sealed, "id"); err != nil {
			b.Fatal(err)
		}
	}
}
