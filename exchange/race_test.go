package exchange_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/exchange"
)

// TestExchangeRacesRevocation checks that no token is live after the grant of its subject token was revoked concurrently.
func TestExchangeRacesRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *exchange.Config) { c.Policy, c.Issuers = nil, nil })
	both := 0
	for range 500 {
		login := w.login("portal", "openid profile test:api")
		start, values := make(chan struct{}), make([]string, 2)
		var wg sync.WaitGroup
		for i := range values {
			wg.Go(func() {
				<-start
				values[i] = w.Call(t, "/token", "portal", form(login.String("access_token"))).String("access_token")
			})
		}
		wg.Go(func() {
			<-start
			w.Call(t, "/revoke", "portal", url.Values{"token": {login.String("refresh_token")}})
		})
		close(start)
		wg.Wait()
		for _, v := range values {
			if v != "" {
				require.Equal(t, http.StatusUnauthorized, w.UserInfo(t, v).Status)
				both++
			}
		}
	}
	require.NotZero(t, both, "no exchange was first")
	t.Logf("%d of 1000 exchanges were first", both)
}
