package scope_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/scope"
)

// Without a user, a client gets the scopes of APIs that need no consent and no login.
func TestEvaluateMachine(t *testing.T) {
	t.Parallel()
	c, src := everything(), registry(t)
	for _, name := range list("openid", "profile", "email", "address", "phone", "offline_access", "nav:consent", "nav:versioned", "nav:fresh", "nav:pseudoconsent") {
		p, err := scope.EvaluateMachine(list("nav:open", name), c, src)
		require.Equal(t, []scope.Refusal{{Scope: name, Reason: scope.UserRequired}}, refusals(t, err), name)
		require.Empty(t, p.Granted)
	}
	for name, want := range map[string]scope.Reason{
		"nav:unregistered": scope.NotRegistered, "nav:gone": scope.Unknown, "nav:inactive": scope.Inactive, "nav:machine": scope.IntegrationType,
		"nav:asked": scope.NoAccess, "nav:denied": scope.NoAccess, "no_pid": scope.NotRegistered,
	} {
		_, err := scope.EvaluateMachine(list(name), c, src)
		require.Equal(t, []scope.Refusal{{Scope: name, Reason: want}}, refusals(t, err))
	}
	p, err := scope.EvaluateMachine(list("nav:short", "nav:opaque", scope.Introspection), c, src)
	require.NoError(t, err)
	require.Equal(t, scope.Plan{
		Granted: list("nav:short", "nav:opaque", scope.Introspection), TokenType: scope.Opaque, Audience: list("https://api.example.no/"),
		AccessTokenMaxAge: 30 * time.Second, AuthorizationMaxAge: 900 * time.Second,
	}, p)
	p, err = scope.EvaluateMachine(list("nav:pseudo"), c, src)
	require.NoError(t, err)
	require.True(t, p.Pseudonymous)

	p, err = scope.EvaluateMachine(nil, c, src)
	require.NoError(t, err)
	require.Equal(t, list("nav:open", "nav:granted", "nav:pseudo", "nav:opaque", "nav:short", "nav:short2", "nav:urn"), p.Granted)
	p, err = scope.EvaluateMachine(nil, scope.Client{Scopes: list("openid", "nav:consent")}, src)
	require.NoError(t, err)
	require.Empty(t, p.Granted)
}

// TestRequiresUser: a scope with RequiresUser is refused without a user, and is not among the default scopes of a machine.
func TestRequiresUser(t *testing.T) {
	t.Parallel()
	src, err := scope.NewRegistry([]scope.Scope{
		{Name: "a:identity", AccessibleForAll: true, RequiresUser: true}, {Name: "a:read", AccessibleForAll: true},
	}, nil)
	require.NoError(t, err)
	c := scope.Client{Scopes: []string{"a:identity", "a:read"}}
	_, err = scope.EvaluateMachine([]string{"a:identity"}, c, src)
	refused, ok := errors.AsType[*scope.RefusedError](err)
	require.True(t, ok)
	require.Equal(t, []scope.Refusal{{Scope: "a:identity", Reason: scope.UserRequired}}, refused.Refusals)
	plan, err := scope.EvaluateMachine(nil, c, src)
	require.NoError(t, err)
	require.Equal(t, []string{"a:read"}, plan.Granted)
	plan, err = scope.Evaluate(scope.Request{Requested: []string{"a:identity"}, Client: c, Scopes: src})
	require.NoError(t, err)
	require.Equal(t, []string{"a:identity"}, plan.Granted)
}
