package session_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// The circles and levels of TestCirclesVouchForTheirOwnLogin.
var (
	vouchCircles = []string{"", "isolated-a", "isolated-b"}
	vouchLevels  = []string{"email", "substantial", "high", "eidas"} // eidas is single-use
)

// proof is what one login proved.
type proof struct {
	acr string
	amr []string
	id  session.Identity
	at  time.Time
}

// vouching compares the sessions of a browser with a model: for each circle, what its own last login proved.
type vouching struct {
	*testing.T
	rnd    *rand.Rand
	keeper *session.Keeper
	cookie string // of the browser
	logins int

	now           time.Time
	live          bool // the model has a session
	passed        bool // its end has passed once, so a store may have collected it
	started, last time.Time
	user          string
	circles       map[string]proof
	trace         []string
}

func (v *vouching) note(format string, args ...any) {
	v.trace = append(v.trace, v.now.Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (v *vouching) current(cookie string) *storage.Session {
	request := http.Header{}
	if cookie != "" {
		request.Set("Cookie", session.DefaultCookieName+"="+cookie)
	}
	s, err := v.keeper.Current(v.Context(), request, http.Header{}, v.now)
	require.NoError(v, err)
	return s
}

// authentication returns a login that no other login equals.
func (v *vouching) authentication() session.Authentication {
	v.logins++
	level := vouchLevels[v.rnd.IntN(len(vouchLevels))]
	tag := fmt.Sprint("login ", v.logins)
	id := session.Identity{Subject: "kari", Attributes: map[string]string{"name": tag}}
	if v.rnd.IntN(6) == 0 {
		id.Subject = "ola"
	}
	typ := session.TypeEmail
	if level != "email" {
		typ = session.TypePID
	}
	identifier, err := pseudonym.NewIdentifier(typ, id.Subject+" at "+level)
	require.NoError(v, err)
	id.Identifiers = []pseudonym.Identifier{identifier}
	a := session.Authentication{Identity: id, ACR: level, AMR: []string{level, tag}}
	switch v.rnd.IntN(4) {
	case 0:
		a.Time = v.now.Add(-time.Duration(v.rnd.Int64N(int64(time.Hour))))
	case 1:
		a.Time = v.now.Add(time.Duration(v.rnd.Int64N(int64(time.Hour)))) // counts as now
	}
	return a
}

// logIn logs the user in and updates the model. current is the session that the request was received in.
func (v *vouching) logIn(current *storage.Session, a session.Authentication, circle string) {
	response := http.Header{}
	s, err := v.keeper.LogIn(v.Context(), response, current, a, circle, v.now)
	require.NoError(v, err)
	p := proof{a.ACR, slices.Clone(a.AMR), a.Identity, a.Time}
	if p.at.IsZero() || p.at.After(v.now) {
		p.at = v.now
	}
	cookie := (&http.Response{Header: response}).Cookies()[0].Value
	continued := current != nil && s.ID == current.ID
	if continued {
		require.Equal(v, v.user, a.Identity.Subject, "another user continues a session\n%s", v.trace)
	} else { // a new session, or one that a parallel request made first
		v.circles, v.started, v.last = map[string]proof{}, v.now, v.now
	}
	if v.last.Before(v.now) {
		v.last = v.now
	}
	v.live, v.passed, v.user, v.cookie = true, false, a.Identity.Subject, cookie
	v.circles[circle] = p
	v.note("login for %q: %s %s, auth_time %s, continued=%t", circle, a.Identity.Subject, a.AMR, p.at.Format("15:04:05.000"), continued)
}

func (v *vouching) step() {
	current := v.current(v.cookie)
	circle := vouchCircles[v.rnd.IntN(len(vouchCircles))]
	a := v.authentication()
	switch v.rnd.IntN(10) {
	case 0, 1, 2:
		v.logIn(current, a, circle)
	case 3: // another tab of the same browser has logged in meanwhile
		v.logIn(current, v.authentication(), vouchCircles[v.rnd.IntN(len(vouchCircles))])
		v.logIn(current, a, circle)
	case 4: // one form posted twice, or two forms of one page
		a.Key = fmt.Sprint("request ", v.logins)
		v.logIn(current, a, circle)
		again := a
		if v.rnd.IntN(2) == 0 {
			other := v.authentication()
			again.ACR, again.AMR = other.ACR, other.AMR
			again.Identity.Attributes, again.Identity.Identifiers = other.Identity.Attributes, nil
		}
		v.repeat(a, again, circle)
	case 5:
		if current != nil {
			require.NoError(v, finish(v.Context(), v.keeper, current, session.ClientLogin{ClientID: "client", Open: true}, v.now))
			if v.last.Before(v.now) {
				v.last = v.now
			}
			v.note("visit")
		}
	case 6:
		if current != nil && v.rnd.IntN(3) == 0 {
			_, err := v.keeper.End(v.Context(), http.Header{}, current, v.now)
			require.NoError(v, err)
			v.live = false
			v.note("logout")
		}
	case 7:
		v.now = v.now.Add(-time.Duration(v.rnd.Int64N(int64(2 * time.Minute))))
		v.note("the clock jumps back")
	case 8:
		v.now = v.now.Add(time.Duration(v.rnd.Int64N(int64(25 * time.Minute))))
	case 9:
		v.now = v.now.Add(time.Duration(v.rnd.Int64N(int64(time.Minute))))
	}
}

// repeat logs in again with the key of a login, which the browser posts with the cookie that it had before.
func (v *vouching) repeat(first, again session.Authentication, circle string) {
	same := first.ACR == again.ACR && slices.Equal(first.AMR, again.AMR)
	before := v.current(v.cookie)
	if !same {
		v.logIn(nil, again, circle)
		return
	}
	response := http.Header{}
	s, err := v.keeper.LogIn(v.Context(), response, nil, again, circle, v.now)
	require.NoError(v, err)
	require.Equal(v, before.ID, s.ID, "one login makes one session\n%s", v.trace)
	v.cookie = (&http.Response{Header: response}).Cookies()[0].Value
	v.note("the same login again")
}

// check compares what each circle vouches for with the model.
func (v *vouching) check() {
	s := v.current(v.cookie)
	end := v.started.Add(session.DefaultMax)
	if idle := v.last.Add(session.DefaultIdle); idle.Before(end) {
		end = idle
	}
	active := v.live && v.now.Before(end) && !v.started.After(v.now.Add(session.MaxSkew)) && !v.last.After(v.now.Add(session.MaxSkew))
	v.passed = v.passed || !v.now.Before(end)
	if s == nil {
		require.True(v, !active || v.passed, "the session is lost\n%s", v.trace)
		return
	}
	require.True(v, active, "a session that has ended is live\n%s", v.trace)
	for _, name := range vouchCircles {
		v.checkCircle(s, name)
	}
}

func (v *vouching) checkCircle(s *storage.Session, name string) {
	req := session.Request{Circle: name}
	switch v.rnd.IntN(4) {
	case 0:
		req.At = v.now.Add(-time.Duration(v.rnd.Int64N(int64(10 * time.Minute))))
	case 1:
		req.At, req.PromptLogin = v.now.Add(-time.Duration(v.rnd.Int64N(int64(10*time.Minute)))), true
	case 2:
		req.HasMaxAge, req.MaxAge = true, time.Duration(v.rnd.Int64N(int64(20*time.Minute)))
	}
	p, proved := v.circles[name]
	future := p.at.After(v.now.Add(session.MaxSkew))
	forThisRequest := !req.At.IsZero() && !p.at.Before(req.At.Truncate(time.Microsecond))
	switch v.rnd.IntN(3) {
	case 0:
		req.LoginAt = p.at
	case 1:
		req.LoginAt = p.at.Add(time.Second)
	}
	inThisRequest := !req.LoginAt.IsZero() && req.LoginAt.Equal(p.at)
	want := proved && !future && (p.acr != "eidas" || inThisRequest) &&
		(forThisRequest || !req.PromptLogin && (!req.HasMaxAge || v.now.Sub(p.at) <= req.MaxAge))
	auth, reason := v.keeper.Decide(s, req, v.now)
	require.Equal(v, want, auth != nil, "circle %q: %s, %+v\n%s", name, reason, req, v.trace)
	id, err := v.keeper.Identity(s, name)
	if !proved {
		require.Error(v, err, "circle %q has an identity without a login\n%s", name, v.trace)
		return
	}
	require.NoError(v, err)
	require.Equal(v, v.user, id.Subject, "circle %q\n%s", name, v.trace)
	require.Equal(v, fmt.Sprint(revealed(p.id)), fmt.Sprint(revealed(id)), "circle %q has the claims of another login\n%s", name, v.trace)
	if auth != nil {
		require.Equal(v, p.acr, auth.ACR, "circle %q\n%s", name, v.trace)
		require.Equal(v, p.amr, auth.AMR, "circle %q\n%s", name, v.trace)
		require.True(v, p.at.Equal(auth.AuthTime), "circle %q\n%s", name, v.trace)
	}
}

// revealed returns everything that an identity holds.
func revealed(id session.Identity) (all []any) {
	for _, i := range id.Identifiers {
		all = append(all, i.Type(), i.Reveal())
	}
	return append(all, id.Subject, id.Attributes)
}

// TestCirclesVouchForTheirOwnLogin: in random sequences of logins, what a circle vouches for is exactly what its own last login
// proved. No login for another circle, of another user, at a lower level or at another time changes it.
func TestCirclesVouchForTheirOwnLogin(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		k, _ := testKeeper(t, memory.New(), func(c *session.Config) {
			c.Rules.SingleUse = func(acr string, _ []string) bool { return acr == "eidas" }
		})
		v := &vouching{T: t, rnd: rand.New(rand.NewPCG(seed, 1)), keeper: k, now: epoch}
		for range 60 {
			v.step()
			v.check()
		}
	}
}
