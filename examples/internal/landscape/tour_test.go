package landscape

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTour plays stories of machines in a running landscape, without a browser.
func TestTour(t *testing.T) {
	r := start(t)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	hc := &http.Client{Jar: jar}
	play := func(story string) string {
		resp, err := hc.PostForm(r.page+"/start", url.Values{"story": {story}})
		status, body := read(t, resp, err)
		require.Equal(t, http.StatusOK, status, body)
		require.Contains(t, body, `id="done"`, body)
		return body
	}
	t.Run("Maskinporten looks a system user up at Altinn", func(t *testing.T) {
		require.Contains(t, play("systembruker"), "5f0a4cbd-2c24-4f3b-9d0e-6c1f1d8a4a11")
	})
	require.Zero(t, r.stop(), r.errs)
}
