package standin_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/maskinporten"
)

// TestEveryStandinIsAdministered: an entry is made, applies, is changed and removed in each stand-in, a wrong one is refused, and a rejected
// request is explained.
func TestEveryStandinIsAdministered(t *testing.T) {
	t.Parallel()
	const client = `{"client_id":"rp","client_orgno":"991825827","integration_type":"%s","redirect_uris":["http://localhost/cb"]}`
	for name, c := range map[string]struct {
		command           standin.Command
		list, key         string
		entry, wrong      string
		problem           string // member that wrong breaks
		rejected, reasons string // path of a request that is rejected, below the base of the server
	}{
		"idporten": {
			new(idporten.Options).Command(), "clients", "rp", strings.Replace(client, "%s", "idporten", 1), `{"client_id":"new"}`, "redirect_uris",
			"/authorize?client_id=none", "client_unknown",
		},
		"ansattporten": {
			new(ansattporten.Options).Command(), "users", "per", `{"username":"per","password":"p","name":"Per"}`, `{"username":"new","password":"p"}`, "name",
			"/authorize?client_id=none", "client_unknown",
		},
		"helseid": {
			new(helseid.Options).Command(), "users", "per", `{"username":"per","password":"p","pid":"21879498012","given_name":"Per","family_name":"Testesen"}`,
			`{"username":"new","password":"p"}`, "pid", "/connect/authorize?client_id=none", "client_unknown",
		},
		"maskinporten": {
			new(maskinporten.Options).Command(), "organisations", "987464291", `{"orgno":"987464291","name":"Etaten"}`, `{"orgno":"1","name":"x"}`, "orgno",
			"/token?grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=x", "",
		},
		"altinn": {
			new(altinn.Options).Command(), "users", "77", `{"user_id":77,"party_id":78,"party_uuid":"b1","pid":"14838902562"}`, `{"user_id":79,"pid":"1"}`, "pid",
			"/authentication/api/v1/exchange/maskinporten", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := c.command.Prepare([]string{"-addr", "localhost:0", "-admin", "localhost:0"}, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			ctx, stop := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- server.Serve(ctx) }()
			defer func() {
				stop()
				require.NoError(t, <-done)
			}()
			var greeting strings.Builder
			server.Greet(&greeting)
			admin := regexp.MustCompile(`Administration: (\S+)`).FindStringSubmatch(greeting.String())[1]
			base := regexp.MustCompile(`issuer +(http://[^/\s]+)`).FindStringSubmatch(greeting.String())[1]

			status, answer := send(t, "POST", admin+"/"+c.list, c.entry)
			require.Equal(t, 201, status, answer)
			status, answer = send(t, "GET", admin+"/"+c.list+"/"+c.key, "")
			require.Equal(t, 200, status, answer)
			status, answer = send(t, "PUT", admin+"/"+c.list+"/"+c.key, c.entry)
			require.Equal(t, 200, status, answer)
			status, answer = send(t, "POST", admin+"/"+c.list, c.wrong)
			require.Equal(t, 400, status, answer)
			require.Regexp(t, `"fieldIdentifier":"`+c.problem+`"`, answer)

			method := http.MethodGet
			if strings.HasPrefix(c.rejected, "/token") {
				method = http.MethodPost
			}
			_, _ = send(t, method, base+c.rejected, "")
			_, answer = send(t, "GET", admin+"/refusals", "")
			require.Contains(t, answer, `"reason":"`+c.reasons)
			for _, path := range []string{"/", "/page/refusals", "/page/list/" + c.list, "/page/list/" + c.list + "/edit?key=" + c.key} {
				status, answer = send(t, "GET", admin+path, "")
				require.Equal(t, 200, status, answer)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, admin+"/"+c.list, nil)
			require.NoError(t, err)
			r.Host = "rebound.example" + r.URL.Host[strings.LastIndex(r.URL.Host, ":"):]
			resp, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, http.StatusMisdirectedRequest, resp.StatusCode)
			status, answer = send(t, "DELETE", admin+"/"+c.list+"/"+c.key, "")
			require.Equal(t, 204, status, answer)
			status, answer = send(t, "DELETE", admin+"/changes", "")
			require.Equal(t, 204, status, answer)
		})
	}
}

func send(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// TestClientEntryIsAFile: what an entry encodes as is decoded as the same entry.
func TestClientEntryIsAFile(t *testing.T) {
	t.Parallel()
	var e, again standin.ClientEntry
	require.NoError(t, json.Unmarshal([]byte(`{"client_id":"rp","client_secret":"s","active":false,"redirect_uris":["http://localhost/cb"]}`), &e))
	text, err := json.Marshal(e)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, e, again)
	require.Equal(t, "s", again.ClientSecret)
}
