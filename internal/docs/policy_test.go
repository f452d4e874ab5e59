package docs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/session"
)

// redeemable is the policy example of the README.
func redeemable(challenge, verifier, level string, times session.Times) bool {
	var proof pkce.Policy // the zero value requires S256
	if err := proof.Verify(challenge, verifier); err != nil {
		return false
	}
	limits := session.Limits{Max: 120 * time.Minute, Idle: 30 * time.Minute}
	return limits.State(times, time.Now()) == session.Active && acr.IDPorten.AtLeast(level, acr.Substantial)
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	v := pkce.NewVerifier()
	now := session.Times{StartedAt: time.Now(), LastRequestAt: time.Now()}
	require.True(t, redeemable(pkce.Challenge(v), v, acr.High, now))
	require.False(t, redeemable(pkce.Challenge(v), v, acr.Low, now))
	require.False(t, redeemable(pkce.Challenge(v), pkce.NewVerifier(), acr.High, now))
	require.False(t, redeemable(pkce.Challenge(v), v, acr.High, session.Times{}))
}
