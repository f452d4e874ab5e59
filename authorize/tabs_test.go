package authorize_test

import (
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTabsAtOnce: tabs that a browser opens before it has a cookie all complete, each with its own state, in any order.
func TestTabsAtOnce(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{"openid", "openid test:shared"} {
		w := newWorld(t)
		b := w.browser()
		var opened []*http.Response
		for i := range 3 {
			tab := w.browser() // sent before the first response has arrived
			opened = append(opened, tab.authorize(params("web", "state", fmt.Sprint("tab-", i), "scope", scope)))
			maps.Copy(b.cookies, tab.cookies)
		}
		require.Len(t, b.ids(), 3)
		require.Empty(t, b.authorize(params("web")).Cookies(), "a later tab has one of these cookies")
		var forms []string
		for _, i := range []int{2, 0, 1} {
			res := b.loginAs(opened[i], "kari")
			if i == 2 && scope != "openid" {
				res = b.consentTo(res, "test:shared") // remembered for the other tabs
			}
			q := answered(t, res)
			require.Equal(t, fmt.Sprint("tab-", i), q.Get("state"))
			forms = append(forms, requireCode(t, res))
		}
		require.Len(t, map[string]bool{forms[0]: true, forms[1]: true, forms[2]: true}, 3, "a code for each")
		require.Equal(t, 1, w.store.Stats().Sessions)

		// Another browser, also one with cookies of its own, has none of the three requests.
		other := w.browser()
		other.authorize(params("web"))
		for _, res := range opened {
			require.Equal(t, "page Bad Request invalid_request", outcome(t, other.get(res.Header.Get("Location"))))
		}
	}
}

// TestBrowserCookiesAreBounded: a browser keeps a bounded number of cookies, and those that it keeps stay valid.
func TestBrowserCookiesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	for range 100 {
		tab := w.browser()
		tab.authorize(params("web"))
		maps.Copy(b.cookies, tab.cookies)
	}
	res := b.authorize(params("web"))
	require.Len(t, b.ids(), 32)
	requireCode(t, b.loginAs(res, "kari"))
}
