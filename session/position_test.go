package session_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// TestGrantPositions verifies that a position is of one user, and discloses nothing of the grant (docs/threat-model.md J18).
func TestGrantPositions(t *testing.T) {
	t.Parallel()
	older, newer := portner.NewSecret(), portner.NewSecret()
	v, err := session.NewVault("https://op.example.no", older)
	require.NoError(t, err)
	user, other := v.UserKey("kari"), v.UserKey("ola")
	position := v.GrantPosition(user, "grant")
	id, ok := v.OpenGrantPosition(user, position)
	require.True(t, ok)
	require.Equal(t, "grant", id)
	require.NotEqual(t, position, v.GrantPosition(user, "grant"), "equal positions cannot be told")
	rotated, err := session.NewVault("https://op.example.no", newer, older)
	require.NoError(t, err)
	_, ok = rotated.OpenGrantPosition(user, position)
	require.True(t, ok, "after a rotation")
	again, err := session.NewVault("https://other.example.no", older)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		vault    *session.Vault
		user     storage.Hash
		position string
	}{
		"another user":   {v, other, position},
		"another issuer": {again, user, position},
		"cut":            {v, user, position[:len(position)-4]},
		"empty":          {v, user, ""},
		"no base64":      {v, user, position + "="},
		"a handle":       {v, user, v.GrantHandle(user, "grant")},
		"no grant":       {v, user, v.GrantPosition(user, "")},
	} {
		_, ok := c.vault.OpenGrantPosition(c.user, c.position)
		require.False(t, ok, name)
	}
}
