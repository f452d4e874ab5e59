package logout_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/session"
)

// recordingPages keeps the values that the pages of the host receive.
type recordingPages struct {
	confirm   logout.ConfirmPage
	loggedOut logout.LoggedOutPage
	err       logout.ErrorPage
}

func (p *recordingPages) pages() logout.Pages {
	return logout.Pages{
		Confirm:   func(d logout.ConfirmPage) (r portner.Reply) { p.confirm = d; return r },
		LoggedOut: func(d logout.LoggedOutPage) (r portner.Reply) { p.loggedOut = d; return r },
		Error:     func(d logout.ErrorPage) (r portner.Reply) { p.err = d; return r },
	}
}

// sender records logout tokens.
type sender struct {
	mu    sync.Mutex
	calls map[string]string
	do    func(ctx context.Context, uri string) error
}

func (s *sender) Send(ctx context.Context, uri, token string) error {
	s.mu.Lock()
	s.calls[uri] = token
	s.mu.Unlock()
	if s.do != nil {
		return s.do(ctx, uri)
	}
	return nil
}

var frameSrc = regexp.MustCompile(`<iframe src="([^"]*)"`)

// TestFrontchannel: the page has a frame for each client with a frontchannel_logout_uri.
func TestFrontchannel(t *testing.T) {
	t.Parallel()
	b := newWorld(t).login("kari", "front", "plain", "query", "a", "direct")
	const ownBack = "https://front.example/post_logout_redirect"
	sid := func(c string) string { return b.keeper.SID(b.s, c) }
	a := b.get("id_token_hint", b.idToken("front"), "post_logout_redirect_uri", ownBack, "state", "s&t")
	a.isLoggedOut()
	var frames []string
	for _, m := range frameSrc.FindAllStringSubmatch(a.body, -1) {
		frames = append(frames, strings.ReplaceAll(m[1], "&amp;", "&"))
	}
	require.Equal(t, []string{
		"https://front.example/out?iss=https%3A%2F%2Fop.example&sid=" + sid("front"),
		"https://plain.example/out",
		"https://query.example/out?k=v&w=%26&iss=https%3A%2F%2Fop.example&sid=" + sid("query"),
	}, frames, "the requesting client too, in the order of the first login")
	csp := a.header.Get("Content-Security-Policy")
	require.True(t, strings.HasSuffix(csp, "; frame-src https:"), "browsers apply frame-src to the redirects of a frame: %s", csp)
	nonce := regexp.MustCompile(`script-src 'nonce-([A-Za-z0-9_-]{22})'`).FindStringSubmatch(csp)
	require.NotNil(t, nonce)
	require.Contains(t, a.body, `<script nonce="`+nonce[1]+`">(function(){`)
	require.Contains(t, a.body, `<a id="logout-continue" href="`+ownBack+`?state=s%26t"`)
	require.Contains(t, a.body, `<noscript><meta http-equiv="refresh" content="3; url=`+ownBack+`?state=s%26t"></noscript>`, "without scripts")
	require.Empty(t, a.header.Get("Refresh"), "with scripts the browser would continue twice")
	require.Equal(t, []string{"__Host-portner-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"}, a.header["Set-Cookie"])
	require.False(t, b.alive())
}

// TestFrontchannelStays: there are frames also without a post_logout_redirect_uri.
func TestFrontchannelStays(t *testing.T) {
	t.Parallel()
	b := newWorld(t).login("kari", "plain")
	a := b.get("id_token_hint", b.idToken("plain"))
	a.isLoggedOut()
	require.Contains(t, a.body, "<iframe")
	require.NotContains(t, a.body, "<script")
	require.Empty(t, a.header.Get("Refresh"))
}

// TestFrontchannelBadRegistrations: a stored registration may be older than the rules.
func TestFrontchannelBadRegistrations(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"javascript:alert(1)", "http://plain.example/out", "https://evil.example/out", "https://plain.example/out#x",
		"https://plain.example;script-src/out", "https://plain.example, *", "data:text/html,x", "//plain.example/out",
	} {
		t.Run(uri, func(t *testing.T) {
			t.Parallel()
			b := newWorld(t).login("kari", "plain")
			b.clients["plain"].FrontchannelLogoutURI = uri
			a := b.get("id_token_hint", b.idToken("plain"))
			a.isLoggedOut()
			require.NotContains(t, a.body, "<iframe")
			require.Contains(t, a.header.Get("Content-Security-Policy"), "frame-src 'none'")
			require.Contains(t, b.events(), "sec.bad_registration/frontchannel_logout_uri/plain")
		})
	}
}

func TestFrontchannelAtMost100Frames(t *testing.T) {
	t.Parallel()
	pages := &recordingPages{}
	w := newWorld(t, func(c *logout.Config) { c.Pages = pages.pages() })
	var ids []string
	for i := range 120 {
		c := web(fmt.Sprint("c", i))
		c.FrontchannelLogoutURI = "https://" + c.ClientID + ".example/out"
		w.clients[c.ClientID] = c
		ids = append(ids, c.ClientID)
	}
	b := w.login("kari", ids...)
	delete(w.clients, "c0")
	w.clients["c1"].Disabled = true
	b.get("id_token_hint", b.idToken("c2"))
	require.Len(t, pages.loggedOut.Frames, 100)
	require.Equal(t, "https://c2.example/out", pages.loggedOut.Frames[0], "removed and disabled clients are not notified")
}

// TestBackchannel: the client receives a logout token (OIDC Back-Channel Logout §2.4).
func TestBackchannel(t *testing.T) {
	t.Parallel()
	s := &sender{calls: map[string]string{}}
	w := newWorld(t, func(c *logout.Config) { c.Backchannel = s })
	b := w.login("kari", "a", "direct")
	b.get("id_token_hint", b.idToken("a"), "post_logout_redirect_uri", back).isRedirect(back)
	require.Len(t, s.calls, 1)

	payload, typ := optest.Verified(t, w.keys, s.calls["https://direct.example/out"], epoch)
	require.Equal(t, "logout+jwt", typ)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(payload, &claims))
	require.Len(t, claims["jti"], 43)
	delete(claims, "jti")
	who, err := w.keeper.Identity(b.s, "")
	require.NoError(t, err)
	sub, err := w.subject(w.clients["direct"], &who, false)
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"iss": issuer, "aud": "direct", "iat": float64(epoch.Unix()), "exp": float64(epoch.Unix() + 300),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		"sid":    w.keeper.SID(b.s, "direct"), "sub": sub,
	}, claims, "and never a nonce")
	require.Equal(t, []string{"logout.done/id_token_hint/a", "logout.backchannel/accepted/direct"}, w.events())

	later := w.login("kari", "a", "direct")
	later.get("id_token_hint", s.calls["https://direct.example/out"]).isError(400, "id_token_hint")
	require.True(t, later.alive(), "a logout token is not a hint")
}

func TestBackchannelNotSentOnTimeout(t *testing.T) {
	t.Parallel()
	s := &sender{calls: map[string]string{}}
	w := newWorld(t, func(c *logout.Config) { c.Backchannel = s })
	b := w.login("kari", "direct")
	hint := b.idToken("direct")
	w.now = epoch.Add(session.DefaultMax)
	b.get("id_token_hint", hint).isLoggedOut()
	require.Empty(t, s.calls)
}

// TestBackchannelClientNeverAnswers: failing clients delay the logout by six seconds at most, and not the other clients.
func TestBackchannelClientNeverAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sender{calls: map[string]string{}, do: func(ctx context.Context, uri string) error {
			switch {
			case strings.Contains(uri, "stuck"):
				<-ctx.Done()
				return ctx.Err()
			case strings.Contains(uri, "panics"):
				panic("x")
			case strings.Contains(uri, "refuses"):
				return fmt.Errorf("wrapped: %w", logout.ErrRejected)
			}
			return nil
		}}
		w := newWorld(t, func(c *logout.Config) { c.Backchannel = s })
		var ids []string
		for _, id := range []string{"stuck", "stuck2", "panics", "refuses", "fine"} {
			c := web(id)
			c.BackchannelLogoutURI = "https://" + id + ".example/out"
			w.clients[id] = c
			ids = append(ids, id)
		}
		c := web("odd")
		c.BackchannelLogoutURI = "https://odd.example/../out"
		w.clients["odd"] = c
		b := w.login("kari", append(ids, "odd")...)
		start := time.Now()
		b.get("id_token_hint", b.idToken("fine"), "post_logout_redirect_uri", "https://fine.example/post_logout_redirect").
			isRedirect("https://fine.example/post_logout_redirect")
		require.Equal(t, 6*time.Second, time.Since(start))
		require.Len(t, s.calls, 5, "one attempt each")
		require.ElementsMatch(t, []string{
			"logout.done/id_token_hint/fine", "logout.backchannel/timeout/stuck", "logout.backchannel/timeout/stuck2",
			"logout.backchannel/failed/panics", "logout.backchannel/rejected/refuses", "logout.backchannel/accepted/fine",
			"sec.bad_registration/backchannel_logout_uri/odd", "logout.backchannel/address_not_allowed/odd",
		}, w.events())
	})
}

// TestBrowserGone: a logout completes also if the browser disconnects.
func TestBrowserGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &sender{calls: map[string]string{}, do: func(sctx context.Context, _ string) error {
		cancel()
		return sctx.Err()
	}}
	w := newWorld(t, func(c *logout.Config) { c.Backchannel = s })
	b := w.login("kari", "direct", "a")
	r := b.formRequest("same-origin", issuer, "id_token_hint", b.idToken("a"))
	b.do(r.WithContext(ctx)).isLoggedOut()
	require.Contains(t, w.events(), "logout.backchannel/accepted/direct")
	require.False(t, b.alive())
}
