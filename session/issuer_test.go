package session_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// A Vault of another issuer with the same secrets opens no record, finds no user and derives other values. The subtests are named
// after the purposes of internal/archtest TestSealedValues.
func TestVaultOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	secret := portner.NewSecret()
	vault := func(issuer string) *session.Vault {
		v, err := session.NewVault(issuer, secret)
		require.NoError(t, err)
		return v
	}
	own, again, other := vault(testIssuer), vault(testIssuer), vault("https://other.example.no")
	id := *fullIdentity(t)
	user := own.UserKey(id.Subject)

	derived := map[string]func(t *testing.T, v *session.Vault) string{
		"user": func(_ *testing.T, v *session.Vault) string { h := v.UserKey(id.Subject); return string(h[:]) },
		"sid": func(t *testing.T, v *session.Vault) string {
			return keeperOf(t, v).SID(&storage.Session{ID: "session"}, "client")
		},
		"grant handle":  func(_ *testing.T, v *session.Vault) string { return v.GrantHandle(user, "grant") },
		"refresh token": func(_ *testing.T, v *session.Vault) string { return v.Successor("token") },
		"session cookie": func(t *testing.T, v *session.Vault) string {
			response := http.Header{}
			_, err := keeperOf(t, v).LogIn(t.Context(), response, nil, session.Authentication{Identity: id, Key: "form"}, "", time.Now())
			require.NoError(t, err)
			return response.Get("Set-Cookie")
		},
	}
	for purpose, derive := range derived {
		t.Run(purpose, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, derive(t, own), derive(t, again))
			require.NotEqual(t, derive(t, own), derive(t, other))
		})
	}
	t.Run("identity", func(t *testing.T) {
		t.Parallel()
		sealed := own.Seal(id, "record")
		_, err := again.Open(sealed, "record")
		require.NoError(t, err)
		_, err = other.Open(sealed, "record")
		require.Error(t, err)
	})
	t.Run("authorization details", func(t *testing.T) {
		t.Parallel()
		sealed := own.SealDetails([]byte("[]"), "grant")
		_, err := again.OpenDetails(sealed, "grant")
		require.NoError(t, err)
		_, err = other.OpenDetails(sealed, "grant")
		require.Error(t, err)
	})
	t.Run("grant position", func(t *testing.T) {
		t.Parallel()
		position := own.GrantPosition(user, "grant")
		_, ok := again.OpenGrantPosition(user, position)
		require.True(t, ok)
		_, ok = other.OpenGrantPosition(user, position)
		require.False(t, ok)
	})
	_, found := other.FindSuccessor("token", storage.HashOf(own.Successor("token")))
	require.False(t, found)
	key, _, ok := other.OpenGrantHandle(own.GrantHandle(user, "grant"))
	require.True(t, ok, "a handle is not authenticated")
	require.NotEqual(t, user, key, "and finds no user")
}

func keeperOf(t *testing.T, v *session.Vault) *session.Keeper {
	t.Helper()
	k, err := session.New(session.Config{Store: memory.New(), Vault: v})
	require.NoError(t, err)
	return k
}
