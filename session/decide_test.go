package session_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

func isHigh(acr string) bool { return acr == "idporten-loa-high" }

// TestDecide: the user logged in for the common circle at epoch (substantial), and for the isolated client "alone" ten minutes
// later (high).
func TestDecide(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	foreign := session.Rules{SingleUse: func(acr string, amr []string) bool {
		return acr == "eidas-loa-high" || slices.Contains(amr, "eIDAS")
	}}
	tests := []struct {
		name  string
		rules session.Rules
		now   time.Duration
		req   session.Request
		want  session.Reason
	}{
		{"valid, sufficient, same circle", session.Rules{}, 20 * minute, session.Request{}, ""},
		{"higher level requested", session.Rules{}, 20 * minute, session.Request{Sufficient: isHigh}, session.StepUp},
		{"lower level requested", session.Rules{}, 20 * minute, session.Request{Circle: "alone", Sufficient: func(string) bool { return true }}, ""},
		{"idle", session.Rules{}, 42 * minute, session.Request{}, session.IdleReached},
		{"max", session.Rules{}, 120 * minute, session.Request{}, session.MaxReached},
		{"isolated client has SSO with itself", session.Rules{}, 20 * minute, session.Request{Circle: "alone", Sufficient: isHigh}, ""},
		{"another isolated client", session.Rules{}, 20 * minute, session.Request{Circle: "other"}, session.OtherCircle},
		{"a circle's level is its own", session.Rules{}, 20 * minute, session.Request{Circle: "", Sufficient: isHigh}, session.StepUp},

		{"prompt=login", session.Rules{}, 20 * minute, session.Request{PromptLogin: true}, session.PromptLogin},
		{"prompt=login, logged in before the request", session.Rules{}, 20 * minute, session.Request{PromptLogin: true, At: epoch.Add(time.Microsecond)}, session.PromptLogin},
		{"prompt=login, logged in for the request", session.Rules{}, 20 * minute, session.Request{PromptLogin: true, At: epoch}, ""},
		{"store keeps microseconds", session.Rules{}, 20 * minute, session.Request{PromptLogin: true, At: epoch.Add(999)}, ""},
		{"requires_user_authentication", session.Rules{}, 20 * minute, session.Request{FreshScope: true}, session.FreshScope},
		{"requires_user_authentication, logged in before the request", session.Rules{}, 20 * minute, session.Request{FreshScope: true, At: epoch.Add(time.Microsecond)}, session.FreshScope},
		{"requires_user_authentication, logged in for the request", session.Rules{}, 20 * minute, session.Request{FreshScope: true, At: epoch}, ""},

		{"max_age not reached", session.Rules{}, 20 * minute, session.Request{HasMaxAge: true, MaxAge: 20*minute + 1}, ""},
		{"max_age just reached is not greater", session.Rules{}, 20 * minute, session.Request{HasMaxAge: true, MaxAge: 20 * minute}, ""},
		{"max_age passed", session.Rules{}, 20 * minute, session.Request{HasMaxAge: true, MaxAge: 20*minute - 1}, session.TooOld},
		{"max_age passed while at the login page", session.Rules{}, 20 * minute, session.Request{HasMaxAge: true, MaxAge: minute, At: epoch}, ""},
		{"max_age=0", session.Rules{}, 0, session.Request{HasMaxAge: true, At: epoch.Add(time.Millisecond)}, session.TooOld},
		{"max_age=0 without a request time", session.Rules{}, 0, session.Request{HasMaxAge: true}, session.TooOld},
		{"max_age=0, logged in for the request", session.Rules{}, 20 * minute, session.Request{HasMaxAge: true, At: epoch}, ""},
		{"logged in for the request at a lower level", session.Rules{}, 20 * minute, session.Request{PromptLogin: true, At: epoch, Sufficient: isHigh}, session.StepUp},
		{"prompt=login of another circle's login", session.Rules{}, 20 * minute, session.Request{Circle: "alone", PromptLogin: true, At: epoch.Add(11 * minute)}, session.PromptLogin},

		{"set back by the difference of two nodes", session.Rules{}, -minute, session.Request{HasMaxAge: true, MaxAge: minute}, ""},
		{"set back further", session.Rules{}, -minute - 1, session.Request{}, session.FutureLogin},
		{"set back further, max_age", session.Rules{}, -minute - 1, session.Request{HasMaxAge: true, MaxAge: time.Hour}, session.FutureLogin},
		{"set back further, prompt=login", session.Rules{}, -minute - 1, session.Request{PromptLogin: true, At: epoch.Add(-2 * minute)}, session.FutureLogin},
		{"set back further, single-use login", foreign, -minute - 1, session.Request{Circle: "eu", At: epoch.Add(-2 * minute)}, session.FutureLogin},
		{"another circle was proved later than the clock", session.Rules{}, 20 * minute, session.Request{Circle: "later"}, session.FutureLogin},

		{"single-use login", foreign, 20 * minute, session.Request{Circle: "eu"}, session.SingleUse},
		{"single-use login by method", foreign, 20 * minute, session.Request{Circle: "eu-method"}, session.SingleUse},
		{"single-use login answers the request it was made in", foreign, 20 * minute, session.Request{Circle: "eu", At: epoch, LoginAt: epoch}, ""},
		{"single-use login in another request meanwhile", foreign, 20 * minute, session.Request{Circle: "eu", At: epoch}, session.SingleUse},
		{"single-use login after the one in the request", foreign, 20 * minute, session.Request{Circle: "eu", At: epoch, LoginAt: epoch.Add(-minute)}, session.SingleUse},
		{"login that is not single-use", foreign, 20 * minute, session.Request{}, ""},
		{"no rule for single use", session.Rules{}, 20 * minute, session.Request{Circle: "eu"}, ""},
		{"limits apply to single-use logins", foreign, 42 * minute, session.Request{Circle: "eu", At: epoch}, session.IdleReached},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			start := epoch.Add(min(0, tt.now))
			s := &storage.Session{StartedAt: start, LastRequestAt: epoch.Add(min(10*minute, tt.now)), Circles: []storage.Circle{
				{Name: "", ACR: "idporten-loa-substantial", AMR: []string{"Minid-OTC"}, AuthTime: epoch},
				{Name: "alone", ACR: "idporten-loa-high", AMR: []string{"BankID"}, AuthTime: epoch.Add(10 * minute)},
				{Name: "eu", ACR: "eidas-loa-high", AMR: []string{"other"}, AuthTime: epoch},
				{Name: "later", ACR: "idporten-loa-high", AuthTime: epoch.Add(22 * minute)},
				{Name: "eu-method", ACR: "idporten-loa-high", AMR: []string{"eIDAS"}, AuthTime: epoch},
			}}
			auth, got := tt.rules.Decide(s, tt.req, epoch.Add(tt.now))
			require.Equal(t, tt.want, got)
			if tt.want != "" {
				require.Nil(t, auth)
			} else {
				require.Equal(t, tt.req.Circle, auth.Name)
			}
		})
	}
}

func TestDecideWithoutSession(t *testing.T) {
	t.Parallel()
	auth, got := session.Rules{}.Decide(nil, session.Request{}, epoch)
	require.Nil(t, auth)
	require.Equal(t, session.NoSession, got)
}

func TestCircleOf(t *testing.T) {
	t.Parallel()
	require.Equal(t, "", session.CircleOf("a", false))
	require.Equal(t, "a", session.CircleOf("a", true))
	groups := session.Rules{Circle: func(id string, isolated bool) string { return "group of " + id }}
	require.Equal(t, "group of a", groups.CircleOf("a", false))
	require.Equal(t, "a", session.Rules{}.CircleOf("a", true))
}
