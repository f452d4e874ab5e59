package postgres_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/postgres"
)

var (
	epoch = time.Date(2031, time.March, 4, 12, 30, 15, 123456789, time.UTC)
	bg    = context.Background()
	none  storage.Hash
)

// Lifetimes of the records of these tests.
const (
	codeLife    = time.Minute
	accessLife  = 2 * time.Minute
	refreshLife = 10 * time.Minute
	retainLife  = 30 * time.Minute
	sessionLife = 30 * time.Minute
	grantLife   = 2 * time.Hour
)

func numbered(name string, n int) string { return name + "-" + strconv.Itoa(n) }

func sessionOf(n int, now time.Time) storage.Session {
	return storage.Session{
		Hash: storage.HashOf(numbered("cookie", n)), ID: numbered("session", n), UserKey: storage.HashOf(numbered("user", n)),
		StartedAt: now, LastRequestAt: now, ExpiresAt: now.Add(sessionLife),
		Circles: []storage.Circle{{Identity: []byte("sealed identity of the session"), ACR: "idporten-loa-substantial", AMR: []string{"BankID"}, AuthTime: now}},
		Clients: []storage.SessionClient{{ClientID: "client-a", SID: numbered("sid", n), LoginAt: now, Open: true}},
	}
}

func codeOf(n int, now time.Time) *storage.AuthorizationCode {
	return &storage.AuthorizationCode{
		Hash: storage.HashOf(numbered("code", n)),
		Grant: storage.Grant{
			ID: numbered("grant", n), ClientID: "client-a", UserKey: storage.HashOf(numbered("user", n)),
			Identity: make([]byte, 120), SID: numbered("sid", n), Scopes: []string{"openid", "profile"}, ACR: "idporten-loa-substantial",
			AMR: []string{"BankID"}, AuthTime: now, Locale: "nb", CreatedAt: now, ExpiresAt: now.Add(grantLife),
		},
		RedirectURI: "https://client.example.no/callback", CodeChallenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		Nonce: numbered("nonce", n), ExpiresAt: now.Add(codeLife),
	}
}

func outcomeOf(n int, c *storage.AuthorizationCode) storage.Outcome {
	return storage.Outcome{RequestID: numbered("request", n), Code: c, RetainTo: c.Grant.CreatedAt.Add(retainLife)}
}

// issuanceOf returns the issuance of a generation of the grant of c.
func issuanceOf(n, generation int, c *storage.AuthorizationCode, now time.Time) *storage.Issuance {
	name := numbered(numbered("token", n), generation)
	return &storage.Issuance{
		Grant: c.Grant,
		Access: storage.AccessToken{
			Hash: storage.HashOf("access " + name), GrantID: c.Grant.ID, JTI: name, Scopes: c.Grant.Scopes, Audience: []string{"https://api.example.no"},
			ClientAMR: "private_key_jwt", IssuedAt: now, ExpiresAt: now.Add(accessLife),
		},
		Refresh: &storage.RefreshToken{Hash: storage.HashOf("refresh " + name), GrantID: c.Grant.ID, Generation: generation, ExpiresAt: now.Add(refreshLife)},
	}
}

// login inserts a session, redeems a code in it and rotates the refresh token once.
func login(t testing.TB, s *postgres.Store, n int, now time.Time) (storage.Session, *storage.AuthorizationCode) {
	t.Helper()
	in, c := sessionOf(n, now), codeOf(n, now)
	_, err := s.ReplaceSession(bg, none, in, 0, now)
	require.NoError(t, err)
	c.Grant.SessionID = in.ID
	require.NoError(t, s.FinishRequest(bg, outcomeOf(n, c), now))
	first := issuanceOf(n, 0, c, now)
	require.NoError(t, s.RedeemCode(bg, c.Hash, first, now))
	require.NoError(t, s.RotateRefreshToken(bg, first.Refresh.Hash, issuanceOf(n, 1, c, now), 0, now))
	return in, c
}
