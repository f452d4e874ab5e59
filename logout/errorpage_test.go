package logout_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/logout"
)

// TestErrorPageNamesParameter: an error page names the parameter that is missing or invalid, and where the user can go back to.
func TestErrorPageNamesParameter(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 300)
	for name, tt := range map[string]struct {
		params          []string
		parameter, back string
	}{
		"a repeated parameter":            {[]string{"state", "a", "state", "b"}, "state", ""},
		"state":                           {[]string{"state", "\u00e6", "client_id", "a"}, "state", "https://a.example/"},
		"client_id":                       {[]string{"client_id", long}, "client_id", ""},
		"client_id of nobody":             {[]string{"client_id", "nobody"}, "", ""},
		"id_token_hint":                   {[]string{"id_token_hint", "x.y.z"}, "id_token_hint", ""},
		"id_token_hint beside client_id":  {[]string{"id_token_hint", "x.y.z", "client_id", "a"}, "id_token_hint", "https://a.example/"},
		"no session":                      {[]string{"client_id", "a"}, "", "https://a.example/"},
		"no session, home page":           {[]string{"client_id", "b"}, "", "https://www.example.no/b"},
		"an application without a domain": {[]string{"client_id", "native"}, "", ""},
		"a registry that fails":           {[]string{"client_id", "fault", "id_token_hint", "x"}, "id_token_hint", ""},
	} {
		pages := &recordingPages{}
		w := newWorld(t, func(c *logout.Config) { c.Pages, c.RequireSession = pages.pages(), true })
		w.clients["b"].ClientURI = "https://www.example.no/b"
		w.ep.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", endpoint+"?"+form(tt.params...).Encode(), nil))
		require.Equal(t, tt.parameter, pages.err.Parameter, name)
		require.Contains(t, pages.err.Description, tt.parameter, name)
		require.Equal(t, tt.back, pages.err.BackURL, name)
		require.Equal(t, tt.back != "" || name == "an application without a domain", pages.err.ClientName != "", name)
	}
}

// TestErrorPageSpeaksOfLogout: the plain error page says what failed.
func TestErrorPageSpeaksOfLogout(t *testing.T) {
	t.Parallel()
	b := newWorld(t).login("kari", "a")
	a := b.get("id_token_hint", "x", "client_id", "a")
	a.isError(400, "The logout cannot continue")
	require.Contains(t, a.body, `<code id="error-code">invalid_request</code>, parameter <code id="error-parameter">id_token_hint</code>`)
	require.Contains(t, a.body, "The parameter id_token_hint must be an id_token of this provider.")
	require.Contains(t, a.body, `<a id="back" href="https://a.example/">Back to Service a</a>`)
	require.NotContains(t, a.body, "login cannot")
}

// TestLoggedOutPageLeadsBack: a page that stays at the provider links to the client, whether or not its URI is registered, and also
// after the button was pressed twice or the user cancelled.
func TestLoggedOutPageLeadsBack(t *testing.T) {
	t.Parallel()
	const link = `<a id="back" href="https://a.example/">`
	b := newWorld(t).login("kari", "a")
	question := b.get("client_id", "a", "post_logout_redirect_uri", "https://evil.example/")
	cancelled := b.post(append(question.fields(), "logout_cancelled", "1")...)
	require.Contains(t, cancelled.body, link)
	cookie := b.cookie
	done := b.post(question.fields()...)
	done.isLoggedOut()
	require.Contains(t, done.body, link)
	b.cookie = cookie
	require.Contains(t, b.post(question.fields()...).body, link, "twice")
}
