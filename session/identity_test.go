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
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/session"
)

const testPID = "21879498012"

func person(t testing.TB) session.Identity {
	t.Helper()
	pid, err := norway.ParsePID(testPID)
	require.NoError(t, err)
	return session.Identity{
		Subject: "user-1", PID: pid, Email: "kari@example.no", EIDASPersonIdentifier: "SE/NO/1",
		GivenName: "Kari", FamilyName: strings.Repeat("Nordmann ", 40), BirthDate: "1994-07-21",
	}
}

func TestIdentityRoundTrip(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]session.Identity{
		"empty": {}, "full": person(t), "subject only": {Subject: "u"}, "not text": {Subject: "\x00\xff"},
		"named": {Subject: "u", Name: "Kari Nordmann"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := id.MarshalBinary()
			require.NoError(t, err)
			var got session.Identity
			require.NoError(t, got.UnmarshalBinary(data))
			require.True(t, id == got)
			for i := range data {
				require.Error(t, new(session.Identity).UnmarshalBinary(data[:i]), "cut at %d", i)
			}
			require.Error(t, new(session.Identity).UnmarshalBinary(append(data, 0)), "trailing byte")
		})
	}
}

func TestIdentityRefuses(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"another version":     "\x03\x00\x00\x00\x00\x00\x00\x00",
		"no name":             "\x02\x00\x00\x00\x00\x00\x00\x00",
		"an empty name":       "\x02\x00\x00\x00\x00\x00\x00\x00\x00",
		"too few fields":      "\x01\x00\x00\x00\x00\x00\x00",
		"length past the end": "\x01\x05abc\x00\x00\x00\x00\x00\x00",
		"length in two bytes": "\x01\x80\x00\x00\x00\x00\x00\x00\x00",
		"endless length":      "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"no pid":              "\x01\x00\x0b12345678901\x00\x00\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := session.Identity{Subject: "before"}
			err := id.UnmarshalBinary([]byte(data))
			require.EqualError(t, err, "session: malformed identity")
			require.Equal(t, "before", id.Subject, "nothing is changed on error")
		})
	}
}

func TestIdentityRedactsItself(t *testing.T) {
	t.Parallel()
	id := person(t)
	auth := session.Authentication{Identity: id, ACR: "idporten-loa-high"}
	var out bytes.Buffer
	for _, v := range []any{id, &id, auth, &auth, struct{ X session.Identity }{id}, []session.Identity{id}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("x", "v", v)
		}
		doc, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(doc)
	}
	for _, secret := range []string{testPID, "Kari", "kari@", "user-1", fmt.Sprintf("%x", testPID), "1994"} {
		require.NotContains(t, out.String(), secret)
	}
}

func TestIdentityAllocations(t *testing.T) {
	data, err := person(t).MarshalBinary()
	require.NoError(t, err)
	var id session.Identity
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _ = id.UnmarshalBinary(data) }), 2.0)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = id.MarshalBinary() }), 1.0)
}

// FuzzIdentity: what is accepted is written back byte for byte, so no two encodings mean one person.
func FuzzIdentity(f *testing.F) {
	full, _ := person(f).MarshalBinary()
	empty, _ := session.Identity{}.MarshalBinary()
	f.Add(full)
	f.Add(empty)
	f.Add([]byte("\x02\x01u\x00\x00\x00\x00\x00\x00\x04Kari"))
	f.Add([]byte("\x01\x80\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var id session.Identity
		if id.UnmarshalBinary(data) != nil {
			return
		}
		again, err := id.MarshalBinary()
		require.NoError(t, err)
		require.Equal(t, data, again)
	})
}

func TestVault(t *testing.T) {
	t.Parallel()
	old, young := portner.Secret(strings.Repeat("o", 32)), portner.Secret(strings.Repeat("y", 32))
	before, err := session.NewVault(old)
	require.NoError(t, err)
	during, err := session.NewVault(young, old)
	require.NoError(t, err)
	after, err := session.NewVault(young)
	require.NoError(t, err)
	id := person(t)

	sealed := before.Seal(id, "grant-1")
	require.NotContains(t, string(sealed), testPID)
	require.NotEqual(t, sealed, before.Seal(id, "grant-1"), "equal persons must not look equal")
	got, err := during.Open(sealed, "grant-1")
	require.NoError(t, err)
	require.True(t, id == got)

	_, err = before.Open(sealed, "grant-2")
	require.Error(t, err, "sealed for another record")
	_, err = after.Open(sealed, "grant-1")
	require.Error(t, err, "the secret is gone")
	got, err = after.Open(during.Seal(id, "g"), "g")
	require.NoError(t, err, "the first secret seals")
	require.True(t, id == got)
	_, err = before.Open(nil, "")
	require.Error(t, err)

	require.Equal(t, before.UserKey("u"), during.UserKey("u"), "rotation keeps persons' keys while the old secret is there")
	require.NotEqual(t, before.UserKey("u"), after.UserKey("u"))
	require.NotEqual(t, before.UserKey("u"), before.UserKey("v"))
	_, err = session.NewVault()
	require.Error(t, err)
	_, err = session.NewVault(portner.Secret("short"))
	require.Error(t, err)
}

// What people granted is sealed like the people themselves: some details hold their numbers.
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
	sealed := v.Seal(person(b), "id")
	for b.Loop() {
		if _, err := v.Open(sealed, "id"); err != nil {
			b.Fatal(err)
		}
	}
}
