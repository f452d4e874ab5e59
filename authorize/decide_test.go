package authorize

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// TestDecide: the decision depends on values only. The first fact that needs an interaction decides.
func TestDecide(t *testing.T) {
	t.Parallel()
	login, selection := &storage.Circle{}, &rar.Selection{}
	granted := scope.Plan{Granted: []string{"openid"}}
	consent := scope.Plan{Granted: []string{"openid"}, NeedsConsent: []*scope.Scope{{Name: "test:shared"}}}
	for name, tc := range map[string]struct {
		facts facts
		step  Step
		code  portner.ErrorCode
	}{
		"no session":                 {facts: facts{reason: session.NoSession}, step: LoginStep},
		"no session, silent":         {facts: facts{reason: session.NoSession, silent: true}, code: portner.LoginRequired},
		"level too low":              {facts: facts{reason: session.StepUp}, step: StepUpStep},
		"level too low, silent":      {facts: facts{reason: session.StepUp, silent: true}, code: portner.InteractionRequired},
		"other user":                 {facts: facts{circle: login, otherUser: true, plan: granted}, step: LoginStep},
		"other user, silent":         {facts: facts{circle: login, otherUser: true, silent: true, plan: granted}, code: portner.LoginRequired},
		"other user after a login":   {facts: facts{circle: login, otherUser: true, fresh: true, plan: granted}, code: portner.LoginRequired},
		"disabled":                   {facts: facts{circle: login, disabled: true, plan: granted}, step: LoginStep},
		"disabled, silent":           {facts: facts{circle: login, disabled: true, silent: true, plan: granted}, code: portner.LoginRequired},
		"disabled after a login":     {facts: facts{circle: login, disabled: true, fresh: true, plan: granted}, code: portner.AccessDenied},
		"open selection":             {facts: facts{circle: login, selection: selection, plan: consent}, step: RepresentationStep},
		"open selection, silent":     {facts: facts{circle: login, selection: selection, silent: true}, code: portner.InteractionRequired},
		"consent needed":             {facts: facts{circle: login, plan: consent}, step: ConsentStep},
		"consent needed, silent":     {facts: facts{circle: login, plan: consent, silent: true}, code: portner.ConsentRequired},
		"every scope declined":       {facts: facts{circle: login, declined: true}, code: portner.AccessDenied},
		"declined, with details":     {facts: facts{circle: login, declined: true, approvable: []rar.Shown{{ID: "1"}}}, code: portner.AccessDenied},
		"declined, whatever is left": {facts: facts{circle: login, declined: true, plan: granted}, code: portner.AccessDenied},
		"no scope left":              {facts: facts{circle: login}, code: portner.AccessDenied},
		"granted":                    {facts: facts{circle: login, plan: granted}},
		"granted, silent and fresh":  {facts: facts{circle: login, plan: granted, silent: true, fresh: true}},
		"the login comes before all": {facts: facts{reason: session.NoSession, selection: selection, plan: consent, declined: true}, step: LoginStep},
	} {
		n := tc.facts.decide()
		require.Equal(t, tc.step, n.step, name)
		require.Equal(t, tc.code, n.code, name)
		switch {
		case tc.step != "":
			require.Equal(t, interact, n.action, name)
			require.NotEmpty(t, n.reason, name)
		case tc.code != "":
			require.Equal(t, refuse, n.action, name)
			require.NotEmpty(t, n.reason, name)
			require.NotEmpty(t, n.description, name)
		default:
			require.Equal(t, issue, n.action, name)
		}
	}
	require.Equal(t, refuse, next{}.action, "the zero value refuses")
}
