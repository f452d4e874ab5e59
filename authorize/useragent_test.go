package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
)

// TestUserAgentOfGrant: the grant has the printable ASCII of the name of the browser, at most 200 bytes of it, and only if the host asks
// for it.
func TestUserAgentOfGrant(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sent, want string
		without    bool // Config.KeepUserAgent is false
	}{
		"plain":              {sent: "Mozilla/5.0 (Macintosh) ~", want: "Mozilla/5.0 (Macintosh) ~"},
		"not kept":           {sent: "Mozilla/5.0", without: true},
		"none":               {},
		"control characters": {sent: "a\tb\x1b[31mc\x00\x1f\x7f", want: "ab[31mc"},
		"not ASCII":          {sent: "Fïrefox\u202e\u00a0\xff", want: "Frefox"},
		"longest":            {sent: strings.Repeat("x", 200), want: strings.Repeat("x", 200)},
		"too long":           {sent: strings.Repeat("x", 200) + "y", want: strings.Repeat("x", 200)},
		"long once cleaned":  {sent: strings.Repeat("\t", 50) + strings.Repeat("x", 200), want: strings.Repeat("x", 200)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *authorize.Config) { c.KeepUserAgent = !tt.without })
			b := w.browser()
			requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
			r := httptest.NewRequest(http.MethodGet, "/authorize?"+params("web", "state", "again").Encode(), nil)
			r.Header["User-Agent"] = []string{tt.sent}
			answer, err := url.Parse(b.do(r).Header.Get("Location"))
			require.NoError(t, err)
			require.Equal(t, tt.want, w.stored(answer.Query().Get("code")).Grant.UserAgent)
		})
	}
}
