package landscape

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/programs"
)

// TestTour plays stories of machines in a running landscape without a browser, and reads the administration and the metrics of its servers.
func TestTour(t *testing.T) {
	args := []string{"-admin"}
	measured := programs.NewMeters != nil
	if measured {
		args = append(args, "-metrics", "localhost:0")
	}
	r := start(t, args...)
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
	t.Run("the contact register accepts a token of Maskinporten", func(t *testing.T) {
		require.Contains(t, play("oppslag"), "kari@example.no")
	})
	base := 0
	_, err = fmt.Sscanf(r.page, "http://127.0.0.1:%d", &base)
	require.NoError(t, err)
	at := addressesFrom("http", "127.0.0.1", base)
	t.Run("each server with state has an administration", func(t *testing.T) {
		for server, list := range map[string]string{
			at.IDPorten: "/clients", at.Ansattporten: "/clients", at.Maskinporten: "/system_users", at.Altinn: "/system_users", at.HelseID: "/apis",
		} {
			resp, err := hc.Get(at.administration(server) + list)
			status, body := read(t, resp, err)
			require.Equal(t, http.StatusOK, status, server)
			require.Contains(t, r.out.String(), "  "+at.administration(server)+"\n", "the greeting")
			require.Equal(t, server == at.Altinn, strings.Contains(body, "5f0a4cbd-2c24-4f3b-9d0e-6c1f1d8a4a11"), server)
		}
	})
	t.Run("users can log in at each server that has a login page", func(t *testing.T) {
		for _, server := range []string{at.IDPorten, at.Ansattporten, at.HelseID} {
			resp, err := hc.Get(at.administration(server) + "/users")
			_, body := read(t, resp, err)
			require.Contains(t, body, "kari", server)
		}
	})
	t.Run("one address has the metrics of all servers", func(t *testing.T) {
		if !measured {
			t.Skip("needs -tags servers")
		}
		_, rest, _ := strings.Cut(r.out.String(), "Metrics: ")
		address, _, _ := strings.Cut(rest, "\n")
		resp, err := hc.Get(address)
		_, text := read(t, resp, err)
		var servers []string
		for _, m := range regexp.MustCompile(`portner_keys_ready{server="(\w+)"} 1`).FindAllStringSubmatch(text, -1) {
			servers = append(servers, m[1])
		}
		require.Equal(t, []string{"altinn", "ansattporten", "helseid", "idporten", "maskinporten"}, servers)
		require.Regexp(t, `portner_request_duration_seconds_count{.*endpoint="token",.*server="maskinporten"} 2`, text)
		require.NotRegexp(t, `server="krr"`, text, "it has no metrics")
	})
	require.Zero(t, r.stop(), r.errs)
}

// TestMetricsNeedTheTag: a program without OpenTelemetry says how to compile it.
func TestMetricsNeedTheTag(t *testing.T) {
	t.Parallel()
	if programs.NewMeters != nil {
		t.Skip("the tag servers is set")
	}
	var out, errs output
	require.Equal(t, 1, Run(t.Context(), []string{"-metrics", "localhost:0"}, &out, &errs))
	require.Contains(t, errs.String(), "go run -tags servers ./examples/landscape -metrics localhost:0")
}
