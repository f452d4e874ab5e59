package landscape

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// TestDocs runs the configuration of docs/landscape.md at https and stops it. All servers must end, and all files be removed.
func TestDocs(t *testing.T) {
	slow.Test(t)
	docs, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "landscape.md"))
	require.NoError(t, err)
	m, err := newMachine(time.Now())
	require.NoError(t, err)
	flags := standin.TLS{InsecureTrustSelfSigned: true}
	flags.Cert, flags.Key = standintest.SelfSigned(t, nil)
	r := start(t, append(flags.Args(), "-config", shownFolder(t, string(docs), m))...)
	base := 0
	_, err = fmt.Sscanf(r.page, "https://127.0.0.1:%d", &base)
	require.NoError(t, err)
	at := addressesFrom("https", "127.0.0.1", base)
	for _, u := range []string{at.Page, at.IDPorten, at.Ansattporten, at.Maskinporten + "jwk", at.altinnIssuer() + ".well-known/openid-configuration/jwks"} {
		resp, err := flags.Outgoing().Get(u)
		status, body := read(t, resp, err)
		require.Equal(t, 200, status, "%s: %s", u, body)
	}

	// The service of the document can start a login, and its machine gets a token.
	resp, err := flags.Outgoing().Get(at.IDPorten + "/authorize?" + url.Values{
		"client_id": {"min-tjeneste-lokalt"}, "redirect_uri": {"http://localhost:3000/callback"}, "response_type": {"code"}, "scope": {"altinn:instances.meta"},
		"state": {"en-tilstand"}, "code_challenge": {strings.Repeat("A", 43)}, "code_challenge_method": {"S256"},
	}.Encode())
	status, _ := read(t, resp, err)
	require.Equal(t, http.StatusSeeOther, status)
	require.Contains(t, resp.Header.Get("Location"), "/login?")
	grant, err := m.grant("min-maskin", at.Maskinporten, time.Now(), object{"scope": scopeOwner})
	require.NoError(t, err)
	resp, err = flags.Outgoing().PostForm(at.Maskinporten+"token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {grant}})
	status, body := read(t, resp, err)
	require.Equal(t, 200, status, body)

	require.Zero(t, r.stop(), r.errs)
	require.True(t, rowIsFree(base), "a port is still taken")
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "landscape-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// shownFolder writes the configuration files of the document, with the certificates of m.
func shownFolder(t *testing.T, docs string, m *machine) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, m.set.Write(filepath.Join(dir, "testca")))
	shown := regexp.MustCompile("(?s)`my-clients/(\\w+\\.json)`[^`]*?(?:`[^`\n]+`[^`]*?)*```json\n(.*?)```").FindAllStringSubmatch(docs, -1)
	require.Len(t, shown, 2)
	for _, file := range shown {
		content := strings.ReplaceAll(file[2], "/path/to", filepath.ToSlash(dir))
		require.NoError(t, os.WriteFile(filepath.Join(dir, file[1]), []byte(content), 0o600))
	}
	return dir
}

// TestDocsAddresses compares the addresses of the document with the default addresses.
func TestDocsAddresses(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "landscape.md"))
	require.NoError(t, err)
	at := addressesFrom("http", "127.0.0.1", 8070)
	for _, address := range []string{at.Page, at.IDPorten, at.Ansattporten, at.Maskinporten, at.altinnIssuer(), at.HelseID, at.KRR + "/rest/v1/person", at.payAPI()} {
		require.Contains(t, string(docs), address)
	}
	local := regexp.MustCompile(`http://(?:localhost|127\.0\.0\.1):(\d+)`)
	for _, m := range local.FindAllStringSubmatch(string(docs), -1) {
		require.Contains(t, []string{"8070", "8080", "8084", "8090", "8100", "8110", "8120", "8130", "8089", "8129", "9464", "3000"}, m[1], m[0])
	}
}
