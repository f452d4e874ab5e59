package logout_test

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/portner-go/portner/client"
)

// FuzzReturn: the browser is redirected only to a registered URI, with the state unchanged.
func FuzzReturn(f *testing.F) {
	f.Add(back, "s")
	f.Add(back+"?x=1", "a b+c&d=e%25")
	f.Add(back+"#", "")
	f.Add("https://evil.example", "\x7f")
	f.Add("HTTPS://a.example/post_logout_redirect", "\r\nLocation: x")
	for _, uri := range []string{"", "//evil.example", back + "/", back + "?", back + "%2e", "javascript:alert(1)", "https://a.example@evil.example/", "https://a.example/q?state2=1&"} {
		f.Add(uri, "\xff&state=2")
	}
	registered := []string{back, back + "?x=1", "https://a.example/q?state2=1&"}
	f.Fuzz(func(t *testing.T, uri, state string) {
		b := newWorld(t, withoutConfirmation).login("kari", "a")
		c := *b.clients["a"]
		c.PostLogoutRedirectURIs = registered
		b.clients = map[string]*client.Client{"a": &c}
		a := b.get("client_id", "a", "post_logout_redirect_uri", uri, "state", state)
		loc := a.header.Get("Location")
		printable := len(state) <= 2048 && strings.IndexFunc(state, func(r rune) bool { return r < ' ' || r > '~' }) < 0
		wantAway := printable && slices.Contains(registered, uri)
		if (loc != "") != wantAway {
			t.Fatalf("location %q for %q, %q", loc, uri, state)
		}
		if loc == "" {
			if a.code == 200 == b.alive() {
				t.Fatalf("%d, but alive: %v", a.code, b.alive())
			}
			return
		}
		rest, ok := strings.CutPrefix(loc, uri)
		u, err := url.Parse(loc)
		if !ok || err != nil || u.Host != "a.example" || u.Query().Get("state") != state || (state == "") != (rest == "") {
			t.Fatalf("%q from %q, %q", loc, uri, state)
		}
	})
}

// FuzzRequest: no request makes the endpoint panic, redirect to an unregistered URI, or log a user out without a matching hint.
func FuzzRequest(f *testing.F) {
	f.Add("id_token_hint=x.y.z&state=%0a&ui_locales=en", "")
	f.Add("client_id=a&post_logout_redirect_uri="+url.QueryEscape(back), "__Host-portner-session=x")
	f.Add("logout_confirmation=AAAA&logout_resubmitted=1;", "a")
	for _, query := range []string{
		"", "%", "state=s", "client_id=a&client_id=a", "client_id=nobody", "logout_hint=sid", "id_token_hint=&client_id=a", "logout_confirmation=", "logout_resubmitted=1&state=s",
		"post_logout_redirect_uri=" + url.QueryEscape(back) + "&state=s", "post_logout_redirect_uri=//evil.example", "ui_locales=nb%20en",
		"id_token_hint=eyJhbGciOiJub25lIn0.e30.&client_id=a",
	} {
		f.Add(query, "")
	}
	f.Fuzz(func(t *testing.T, query, cookie string) {
		b := newWorld(t).login("kari", "a")
		for _, method := range []string{"GET", "POST"} {
			r := httptest.NewRequest(method, endpoint, strings.NewReader(query))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Cookie", "IDPORTEN_SELECTED_LANGUAGE="+cookie)
			if method == "GET" {
				r.URL.RawQuery = query
			}
			a := b.do(r)
			if a.code == 303 || !b.alive() {
				t.Fatalf("%s %q: %d", method, query, a.code)
			}
		}
	})
}
