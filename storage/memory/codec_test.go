package memory_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// FuzzRecords checks that decoding an encoded record gives an equal one.
func FuzzRecords(f *testing.F) {
	f.Add("a", "b", []byte("c"), int64(0), int64(1), uint8(3))
	f.Add("", "\x00\xff", []byte(nil), int64(math.MaxInt64), int64(math.MinInt64), uint8(0))
	f.Add(string(make([]byte, 300)), string(make([]byte, 2000)), make([]byte, 200), int64(-1), int64(1<<62), uint8(255))
	for flags := range uint8(8) {
		f.Add("grant", strings.Repeat("x", 1<<flags), []byte{flags}, int64(flags)<<50, int64(1), flags*37)
	}
	f.Fuzz(func(t *testing.T, a, b string, raw []byte, n, m int64, flags uint8) {
		at := func(n int64) time.Time {
			if n == math.MinInt64 {
				return time.Time{}
			}
			return time.Unix(0, n).UTC()
		}
		first, second := at(n), at(m)
		if first.Year() < 1678 || first.Year() > 2261 || second.Year() < 1678 || second.Year() > 2261 {
			t.Skip("outside the years of the contract")
		}
		var list []string
		for range flags % 4 {
			list = append(list, b)
		}
		yes, no := flags&1 == 1, flags&1 == 0
		h, k := storage.HashOf(a), storage.HashOf(b)

		s := storage.Session{Hash: h, UserKey: k, ID: a, Version: n, StartedAt: first, LastRequestAt: second, ExpiresAt: first}
		for range flags % 3 {
			s.Circles = append(s.Circles, storage.Circle{Name: a, Identity: raw, ACR: b, AMR: list, AuthTime: second})
			s.Clients = append(s.Clients, storage.SessionClient{ClientID: b, SID: a, LoginAt: first, Open: yes})
		}
		text := memory.EncodeSession(&s)
		require.Equal(t, s, text.Decode(k))

		g := storage.Grant{
			ID: a, ClientID: b, UserKey: h, Identity: raw, SessionID: b, SID: a, LoginOnly: yes, Pseudonymous: no,
			Scopes: list, Resources: list, ACR: a, AMR: list, AuthTime: first, Locale: b, Customer: a, Confirmation: storage.Confirmation{Key: b, Certificate: a},
			AuthorizationDetails: raw, Claims: raw, CreatedAt: second, ExpiresAt: first,
		}
		require.Equal(t, g, memory.EncodeGrant(&g).Decode(h))

		c := storage.AuthorizationCode{Hash: k, RedirectURI: a, CodeChallenge: b, Nonce: a, DPoPKey: b, ExpiresAt: second, Grant: g}
		code := memory.EncodeOutcome(&storage.Outcome{RequestID: b, Code: &c, RetainTo: first})
		require.Equal(t, c, code.Decode(h))
		narrower := g
		narrower.Scopes = append(narrower.Scopes, a)
		require.Equal(t, code, code.Redeemed(memory.EncodeGrant(&g)), "the same grant is not kept twice")
		for _, redeemed := range []storage.Grant{g, narrower} {
			text := code.Redeemed(memory.EncodeGrant(&redeemed))
			require.Equal(t, c, text.Decode(h))
			require.Equal(t, redeemed, text.Grant().Decode(h))
			require.Equal(t, memory.EncodeGrant(&redeemed), text.Grant().First())
		}

		x := storage.AccessToken{Hash: h, GrantID: a, JTI: b, Opaque: no, Scopes: list, Audience: list, ClientAMR: a, AuthorizationDetails: raw, Confirmation: storage.Confirmation{Key: b, Certificate: a}, IssuedAt: first, ExpiresAt: second}
		require.Equal(t, x, memory.EncodeAccess(&x).Decode(a))
	})
}

// Times outside the years of the contract keep their order to now.
func TestFarTimes(t *testing.T) {
	t.Parallel()
	s := memory.New()
	forever, never := newSession(1), newSession(2)
	forever.ExpiresAt = time.Unix(1<<50, 0)
	never.ExpiresAt = time.Unix(-1<<50, 0)
	for _, in := range []storage.Session{forever, never} {
		_, err := s.ReplaceSession(t.Context(), none, in, 0, epoch)
		require.NoError(t, err)
	}
	_, err := s.Session(t.Context(), forever.Hash, epoch)
	require.NoError(t, err)
	_, err = s.Session(t.Context(), never.Hash, epoch)
	require.ErrorIs(t, err, storage.ErrNotFound)
}
